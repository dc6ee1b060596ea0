from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation import CALIBRATION_BINS
from model.metrics import Array, calibration_error, evaluate, skill_over

probabilities = st.floats(1e-6, 1 - 1e-6)
days = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), probabilities), min_size=2, max_size=40)


def _arrays(pairs: list[tuple[float, float]]) -> tuple[Array, Array]:
    y, p = np.array(pairs, dtype=np.float64).T
    return y, p


@given(pairs=days)
def test_loss_brier_and_spread_by_hand(pairs: list[tuple[float, float]]) -> None:
    y, p = _arrays(pairs)
    found = evaluate(y, p)
    assert found.loss == pytest.approx(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)), rel=1e-9)
    assert found.brier == pytest.approx(np.mean((y - p) ** 2))
    assert found.prediction_std == pytest.approx(p.std())
    assert (found.base_rate, found.n_days) == (y.mean(), len(y))


@given(pairs=days)
def test_auc_is_the_share_of_ordered_pairs(pairs: list[tuple[float, float]]) -> None:
    y, p = _arrays(pairs)
    found = evaluate(y, p)
    difference = p[y == 1][:, None] - p[y == 0][None, :]
    if difference.size:
        assert found.roc_auc == pytest.approx(np.mean((difference > 0) + 0.5 * (difference == 0)))
    else:
        assert math.isnan(found.roc_auc)


@pytest.mark.lesson("L18")
@given(pairs=days)
def test_base_rate_loss_is_entropy_and_its_skill_is_zero(pairs: list[tuple[float, float]]) -> None:
    y, _ = _arrays(pairs)
    rate = y.mean()
    found = evaluate(y, np.full(len(y), rate))
    if 0 < rate < 1:
        entropy = -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate))
        assert found.base_rate_loss == pytest.approx(entropy, rel=1e-9)
        assert found.skill == pytest.approx(0.0, abs=1e-9)
    else:
        assert found.base_rate_loss == 0.0 and math.isnan(found.skill)


@pytest.mark.lesson("L18")
@given(pairs=days, constant=probabilities)
def test_no_constant_beats_the_base_rate(pairs: list[tuple[float, float]], constant: float) -> None:
    y, _ = _arrays(pairs)
    found = evaluate(y, np.full(len(y), constant))
    assert found.loss >= found.base_rate_loss - 1e-12


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_leaves_rankings_undefined_and_the_rest_defined(label: float) -> None:
    found = evaluate(np.full(3, label), np.array([0.2, 0.3, 0.4]))
    assert math.isnan(found.roc_auc) and math.isnan(found.average_precision) and math.isnan(found.skill)
    assert math.isfinite(found.loss) and math.isfinite(found.brier)


def test_worked_example() -> None:
    found = evaluate(np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.9, 0.8, 0.6, 0.1]))
    assert found.roc_auc == 0.75
    assert found.average_precision == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert found.skill == pytest.approx(1 - found.loss / math.log(2))


def test_certain_and_wrong_is_finite_and_large() -> None:
    assert 20 < evaluate(np.array([0.0, 1.0]), np.array([1.0, 0.0])).loss < math.inf


@pytest.mark.lesson("L25")
def test_a_probability_that_is_not_finite_is_never_scored() -> None:
    with pytest.raises(ValueError, match="NaN"):
        evaluate(np.array([0.0, 1.0]), np.array([0.5, np.nan]))


many_days = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), probabilities), min_size=CALIBRATION_BINS, max_size=80)


@given(pairs=many_days, seed=st.integers(0, 99))
def test_calibration_error_is_bounded_and_blind_to_the_order_of_days(
    pairs: list[tuple[float, float]], seed: int
) -> None:
    y, p = _arrays(pairs)
    found = calibration_error(y, p)
    order = np.random.default_rng(seed).permutation(len(y))
    assert abs(np.mean(p - y)) - 1e-12 <= found <= 1
    assert calibration_error(y[order], p[order]) == pytest.approx(found, abs=1e-12)


def test_calibration_error_of_equal_bins_by_hand() -> None:
    p = np.linspace(0.01, 0.99, 4 * CALIBRATION_BINS)
    y = (np.arange(len(p)) % 3 == 0).astype(np.float64)
    gaps = np.abs(p.reshape(CALIBRATION_BINS, 4).mean(1) - y.reshape(CALIBRATION_BINS, 4).mean(1))
    assert calibration_error(y, p) == pytest.approx(gaps.mean())


def test_a_constant_has_one_bin() -> None:
    assert calibration_error(np.array([1.0, 0.0, 0.0] * 20), np.full(60, 1 / 3)) == pytest.approx(0.0)


@given(pairs=days)
def test_precision_and_recall_are_counts(pairs: list[tuple[float, float]]) -> None:
    y, p = _arrays(pairs)
    found = asdict(evaluate(y, p))
    for threshold in (0.3, 0.5):
        called = [pair for pair in pairs if pair[1] >= threshold]
        hits = sum(pair[0] for pair in called)
        name = f"{100 * threshold:.0f}"
        assert found[f"n_calls_{name}"] == len(called)
        if called:
            assert found[f"precision_{name}"] == pytest.approx(hits / len(called))
        if y.sum():
            assert found[f"recall_{name}"] == pytest.approx(hits / y.sum())


def test_skill_over_a_reference() -> None:
    assert skill_over(0.5, 0.5) == 0
    assert skill_over(0.6, 0.5) == pytest.approx(-0.2)
    assert math.isnan(skill_over(0.1, 0.0))
