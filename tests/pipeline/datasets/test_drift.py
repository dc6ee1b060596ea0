from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline.datasets.dataset import DatasetVersion
from pipeline.datasets.drift import SHIFTED_FROM, STABLE_BELOW, Reference, drift_report, population_stability_index
from pipeline.exceptions import InputError
from pipeline.splits.splits import SplitRows


def index_by_loop(expected: np.ndarray, actual: np.ndarray) -> float:
    """Deciles of the first sample, shares of both, the sum in plain words."""
    edges = [-np.inf, *np.quantile(expected, np.arange(1, 10) / 10), np.inf]
    total = 0.0
    for low, high in itertools.pairwise(edges):
        p, q = (np.mean((sample >= low) & (sample < high)) for sample in (expected, actual))
        total += (q - p) * np.log(q / p)
    return total


def test_the_index_equals_a_plain_loop():
    random = np.random.default_rng(0)
    expected, actual = random.normal(0, 1, 5000), random.normal(0.3, 1.2, 1000)
    assert population_stability_index(expected, actual) == pytest.approx(index_by_loop(expected, actual))


def test_two_samples_of_one_distribution_are_stable():
    random = np.random.default_rng(1)
    assert population_stability_index(random.normal(size=5000), random.normal(size=500)) < STABLE_BELOW


def test_values_never_seen_are_finite_and_large():
    assert SHIFTED_FROM < population_stability_index(np.arange(100.0), np.full(100, 1e9)) < 100


def test_few_distinct_values_are_compared_as_they_are():
    regimes = np.repeat([0.0, 1.0, 2.0], 100)
    assert population_stability_index(regimes, regimes) == 0.0
    assert population_stability_index(regimes, np.full(100, 2.0)) > SHIFTED_FROM


def test_an_empty_sample_is_refused():
    with pytest.raises(InputError, match="got 10 and 0"):
        population_stability_index(np.arange(10.0), np.array([]))


@pytest.fixture
def dataset(bars) -> DatasetVersion:
    random = np.random.default_rng(2)
    frame = bars.assign(stable=random.normal(size=len(bars)), level=np.arange(float(len(bars))))
    return DatasetVersion(
        frame=frame, ticker="SPY", source="csv", tier="made", features=("stable", "level"), snapshots={}, tier_code=""
    )


@pytest.mark.lesson("L27")
def test_a_level_that_drifts_is_told_and_a_stable_feature_is_not(dataset):
    rows = SplitRows(train=np.arange(400), validation=np.arange(400, 550), test=np.arange(550, 700))
    report = drift_report(dataset, rows)
    assert list(report.table.columns) == ["validation", "test"]
    assert report.shifted == ("level",)
    lines = report.text().splitlines()
    assert lines[2].startswith("| level | ") and lines[2].endswith("| shifted |")
    assert len(lines) == 4


def test_a_part_without_samples_is_left_out(dataset):
    rows = SplitRows(train=np.arange(400), validation=np.arange(400, 700), test=np.array([], dtype=int))
    assert list(drift_report(dataset, rows).table.columns) == ["validation"]


def test_a_reference_stands_for_its_sample():
    random = np.random.default_rng(2)
    expected, actual = random.normal(size=3000), random.normal(0.5, 1, size=200)
    reference = Reference.of(expected)
    assert reference.stability_index(actual) == population_stability_index(expected, actual)
    assert (reference.minimum, reference.maximum) == (expected.min(), expected.max())
    assert len(reference.shares) == len(reference.edges) + 1 and sum(reference.shares) == pytest.approx(1)
