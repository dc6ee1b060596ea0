from dataclasses import replace

import numpy as np

from model.serving.package_info import package_facts
from search.registry.live.drift import drifted_features, outside_features


def test_drift_names_features_that_moved_and_values_never_seen(planned):
    plan, dataset, _ = planned
    spec = plan.spec(plan.grid().architectures[0], {})
    rows = np.arange(1000, 3000)
    facts = package_facts([spec], dataset, rows, n_epochs=[1])
    frame = dataset.frame.copy()
    name = dataset.features[3]
    frame.iloc[-250:, frame.columns.get_loc(name)] = frame[name].max() + 1
    moved = replace(dataset, frame=frame)
    drifted = drifted_features(moved, facts, dataset)
    worst = drifted[name]
    assert next(iter(drifted)) == name and worst.index > 5 and (worst.as_much, worst.of) == (0, 12)
    indices = [each.index for each in drifted.values()]
    assert indices == sorted(indices, reverse=True) and indices[-1] >= 0.25
    assert all(each.as_much <= 0.05 * each.of for each in drifted.values()), "what training shows too is no news"
    slow = facts.references["close_over_sma_200"].stability_index(frame["close_over_sma_200"].to_numpy()[-250:])
    assert slow >= 0.25 and "close_over_sma_200" not in drifted, "a year of a slow feature never looks like twenty"
    value, low, high = outside_features(moved, facts)[name]
    assert value == frame[name].iloc[-1] > high > low
