from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from model.serving.package_info import facts_from_json, package_facts
from pipeline.exceptions import InputError


@pytest.fixture(scope="module")
def made(market, members):
    _, dataset = market("r33")
    specs, _, windows = members("r33", (0, 7))
    return dataset, specs, windows, package_facts(specs, dataset, windows.rows.train, n_epochs=(3, 4), study="s")


def test_they_survive_json(made):
    facts = made[-1]
    assert facts_from_json(json.loads(json.dumps(asdict(facts)))) == facts


@pytest.mark.lesson("L15")
def test_the_base_rate_is_that_of_the_rows_trained_on(made):
    _, _, windows, facts = made
    assert facts.base_rate == windows.outcomes(windows.rows.train).mean()
    assert (facts.n_train, facts.seeds, facts.n_epochs) == (len(windows.rows.train), (0, 7), (3, 4))


def test_trained_through_is_the_last_day_that_a_label_read(made):
    dataset, specs, windows, facts = made
    last = int(windows.rows.train[-1])
    assert facts.trained_through == str(dataset.dates[last + specs[0].target.horizon].date()) == "2012-12-31"


def test_features_are_described_on_the_rows_trained_on(made):
    dataset, _, windows, facts = made
    assert tuple(facts.references) == dataset.features
    x_N = dataset.frame["rsi_daily"].to_numpy()[windows.rows.train]
    reference = facts.references["rsi_daily"]
    assert (reference.minimum, reference.maximum) == (x_N.min(), x_N.max())
    assert reference.edges == tuple(np.quantile(x_N, np.arange(1, 10) / 10))
    assert abs(reference.stability_index(x_N)) < 1e-9


@pytest.mark.parametrize("rows", [[], [-1]])
def test_rows_without_outcomes_are_refused(made, rows):
    dataset, specs, _, _ = made
    with pytest.raises(InputError, match="rows with outcomes"):
        package_facts(specs, dataset, np.array(rows, dtype=np.int64), n_epochs=(1, 1))
