from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exceptions import InputError
from pipeline.splits.target import RULES, Target

prices = st.floats(1.0, 2.0)


def labels_by_loop(bars: pd.DataFrame, horizon: int, threshold: float, rule: str) -> list[float]:
    """The rule in plain words, day by day."""
    labels = []
    for day in range(len(bars)):
        future = [bars[rule].iloc[later] for later in range(day + 1, day + horizon + 1) if later < len(bars)]
        if len(future) < horizon:
            labels.append(float("nan"))
        else:
            labels.append(float(max(future) >= bars["close"].iloc[day] * (1 + threshold)))
    return labels


@pytest.mark.lesson("L10")
@given(
    days=st.lists(st.tuples(prices, prices), max_size=25),
    horizon=st.integers(1, 8),
    threshold=st.sampled_from([0.01, 0.02, 0.2, -0.05]),
    rule=st.sampled_from(RULES),
)
def test_labels_equal_a_plain_loop(days, horizon, threshold, rule):
    bars = pd.DataFrame(days, columns=["close", "rise"], dtype=float)
    bars["high"] = bars[["close", "rise"]].max(axis=1)
    labels = Target(horizon=horizon, threshold=threshold, rule=rule).labels(bars)
    np.testing.assert_array_equal(labels, labels_by_loop(bars, horizon, threshold, rule))


@pytest.mark.lesson("L10")
def test_the_high_decides_unless_the_close_is_asked_for_by_name():
    bars = pd.DataFrame({"high": [100.0, 102.0, 100.0], "close": [100.0, 100.0, 100.0]})
    assert Target(horizon=1).labels(bars)[0] == 1.0
    assert Target(horizon=1, rule="close").labels(bars)[0] == 0.0
    assert Target(horizon=1).name != Target(horizon=1, rule="close").name


@pytest.mark.lesson("L10")
def test_both_prices_are_required():
    for name in ("high", "close"):
        with pytest.raises(KeyError):
            Target(horizon=1).labels(pd.DataFrame({name: [1.0, 2.0]}))


def test_the_day_itself_does_not_count():
    bars = pd.DataFrame({"high": [150.0, 100.0], "close": [100.0, 100.0]})
    assert Target(horizon=1).labels(bars)[0] == 0.0


def test_the_threshold_itself_counts():
    bars = pd.DataFrame({"high": [100.0, 125.0], "close": [100.0, 100.0]})
    assert Target(horizon=1, threshold=0.25).labels(bars)[0] == 1.0


@pytest.mark.parametrize("horizon", [1, 2, 3, 5, 700, 900])
def test_an_incomplete_future_has_no_label(bars, horizon):
    labels = Target(horizon=horizon).labels(bars)
    assert np.isnan(labels[-horizon:]).all()
    assert np.isfinite(labels[:-horizon]).all()


@pytest.mark.lesson("L15")
def test_the_scale_of_prices_does_not_matter(bars):
    target = Target(horizon=3)
    np.testing.assert_array_equal(target.labels(bars), target.labels(bars * 8))


@pytest.mark.parametrize("horizon", [0, -1, 1.0, True, "1"])
def test_a_horizon_is_a_whole_positive_number(horizon):
    with pytest.raises(InputError, match="horizon must be"):
        Target(horizon=horizon)


@pytest.mark.parametrize("threshold", [1.0, -1.0, float("nan"), float("inf")])
def test_a_threshold_is_a_fraction(threshold):
    with pytest.raises(InputError, match="threshold must be"):
        Target(horizon=1, threshold=threshold)


def test_a_threshold_of_zero_is_direction_and_says_so():
    bars = pd.DataFrame({"high": [100.0, 100.0, 99.0], "close": [100.0, 100.0, 99.0]})
    direction = Target(horizon=1, threshold=0.0)
    assert direction.labels(bars)[:2].tolist() == [1.0, 0.0]
    assert "asks for direction alone" in direction.note and direction.name == "h1-t0"
    assert Target(horizon=1).note == ""


def test_an_unknown_rule_is_named():
    with pytest.raises(InputError, match="got 'low'"):
        Target(horizon=1, rule="low")


def test_names_tell_targets_apart():
    targets = [Target(horizon=h, threshold=t, rule=r) for h in (1, 3) for t in (0.01, 0.02) for r in RULES]
    assert len({target.name for target in targets}) == len(targets)
