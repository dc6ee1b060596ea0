from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from model.windows import make_windows
from search.trial.parts import folds_of, trial_parts
from tests.search.trial.conftest import folded
from tests.search.walk_forward.conftest import pooled

__all__ = ["pooled"]


def parts_of(plan, datasets, horizon, n_folds, n_seeds=1):
    plan = folded(replace(plan, target=replace(plan.target, horizon=horizon)), n_folds, n_seeds)
    plan = replace(plan, split=replace(plan.split, train_start=date(2009, 1, 2)))
    spec = plan.spec(plan.grid().architectures[0], {})
    own, *beside = datasets
    windows = make_windows(own, spec.target, spec.split, spec.architecture.context_length, pooled=beside)
    return windows, trial_parts(spec, windows, datasets)


@pytest.mark.lesson("L22")
@pytest.mark.lesson("L47")
@pytest.mark.parametrize("horizon", [1, 5])
@pytest.mark.parametrize("n_folds", [1, 3])
def test_a_fold_trains_on_what_was_known_when_its_year_began_and_every_day_is_forecast_once(pooled, horizon, n_folds):
    plan, datasets, _ = pooled
    windows, parts = parts_of(plan, datasets, horizon, n_folds)
    assert [part.year for part in parts] == list(range(2017 - n_folds, 2017))
    days = np.concatenate([part.windows.rows.validation for part in parts])
    assert np.array_equal(days, windows.rows.validation)
    for part in parts:
        start = 0
        for each in datasets:
            rows = part.windows.train_rows
            own = rows[(rows >= start) & (rows < start + len(each.dates))] - start
            assert len(own), "every ticker is trained on"
            assert (each.dates[own + horizon] < pd.Timestamp(part.year, 1, 1)).all()
            assert each.dates[own[-1] + horizon + 1].year == part.year, "nothing is left out needlessly"
            start += len(each.dates)
        assert set(datasets[0].dates[part.windows.rows.validation].year) == {part.year}


def test_seeds_follow_one_another_in_each_fold_and_differ_in_the_seed_alone(pooled):
    plan, datasets, _ = pooled
    _, parts = parts_of(replace(plan, seed=7), datasets, 1, 2, 3)
    assert [part.name for part in parts] == [f"{year}-seed{seed}" for year in (2015, 2016) for seed in (7, 8, 9)]
    assert [part.prefix(several_seeds=True) for part in parts][:2] == ["fold/2015/seed/7/", "fold/2015/seed/8/"]
    alike = {replace(part.spec, seed=0) for part in parts}
    assert len(alike) == 1 and parts[0].windows is parts[1].windows


def test_without_folds_and_with_one_seed_there_is_one_part_of_the_spec_itself(planned):
    plan, dataset, _ = planned
    spec = plan.spec(plan.grid().architectures[0], {})
    windows = make_windows(dataset, spec.target, spec.split, spec.architecture.context_length)
    (part,) = trial_parts(spec, windows, [dataset])
    assert part.spec is spec and part.windows is windows
    assert part.prefix(several_seeds=False) == ""
    assert folds_of(spec.split, 0, windows, [dataset], horizon=1) == [(None, windows)]
