from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from pipeline.exceptions import InputError
from search.evidence.power import plan_power
from search.evidence.scores import score
from search.results.detectable import auc_standard_error


def test_the_standard_error_is_the_published_one():
    """Hanley and McNeil, table 1 is for ratings; figure 2's setting is checked against independent draws here."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(1500):
        y_D = np.repeat([1.0, 0.0], [60, 240])
        z_D = np.where(y_D == 1, rng.exponential(1 / 0.35, 300), rng.exponential(1.0, 300))
        drawn.append(score("roc_auc", y_D, z_D))
    assert auc_standard_error(float(np.mean(drawn)), 60, 240) == pytest.approx(np.std(drawn), rel=0.08)


@pytest.mark.lesson("L23")
def test_what_the_days_of_two_years_and_of_eighteen_can_show():
    assert plan_power(502, 1).smallest_gain == pytest.approx(0.044, abs=0.001)
    assert plan_power(4635, 1, correlation=0.95).smallest_gain == pytest.approx(0.009, abs=0.0005)


@pytest.mark.lesson("L23")
@given(st.integers(400, 5000), st.integers(1, 9), st.floats(0.1, 0.5), st.floats(0.5, 0.9))
def test_more_days_show_less_and_overlap_shows_more(days, horizon, base_rate, roc_auc):
    planned, longer, overlapping = (
        plan_power(each_days, each_horizon, base_rate=base_rate, roc_auc=roc_auc)
        for each_days, each_horizon in ((days, horizon), (2 * days, horizon), (days, horizon + 1))
    )
    for name in ("smallest_gain", "smallest_auc", "smallest_loss"):
        assert getattr(longer, name) < getattr(planned, name) < getattr(overlapping, name)
    assert 0.5 < planned.smallest_auc < 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("horizon", "memory", "low", "high"),
    [(1, 0.98, 0.9, 1.1), (5, 0.98, 0.9, 1.3), (5, 0.5, 1.1, 2)],
)
def test_the_overlap_of_labels_costs_what_is_said(horizon, memory, low, high):
    """Labels of the best of the next days: planned against simulated error, persistent forecasts and quick ones."""
    rng, n_days, found, rates = np.random.default_rng(1), 800, [], []
    for _ in range(300):
        moves_D = rng.normal(size=n_days + horizon)
        ahead_HD = np.stack([np.cumsum(moves_D[k : k + horizon]).max() for k in range(n_days)])
        y_D = (ahead_HD > 0.84 * np.sqrt(horizon)).astype(float)
        z_D = lfilter([1], [1, -memory], rng.normal(size=n_days + 2000))[2000:]
        found.append(score("roc_auc", y_D, z_D))
        rates.append(y_D.mean())
    planned = auc_standard_error(0.5, np.mean(rates) * n_days / horizon, (1 - np.mean(rates)) * n_days / horizon)
    assert low < planned / np.std(found) < high


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"days": 0}, "days must be a whole number"),
        ({"horizon": 600}, "horizon must be between 1 and the 502 days"),
        ({"base_rate": 0.0}, "base_rate must be between 0 and 1"),
        ({"roc_auc": 1.0}, "roc_auc must be at least 0.5 and below 1"),
        ({"correlation": 1.0}, "correlation must be at least -1 and below 1"),
        ({"days": 20, "horizon": 10}, "two days of either class"),
    ],
)
def test_what_cannot_be_planned_is_refused(arguments, words):
    given_values = {"days": 502, "horizon": 1, **arguments}
    with pytest.raises(InputError, match=words):
        plan_power(given_values.pop("days"), given_values.pop("horizon"), **given_values)


def test_the_assumptions_are_said():
    planned = plan_power(502, 5)
    assert any("5 days are worth one" in line for line in planned.assumptions)
    assert not any("overlap" in line for line in replace(planned, horizon=1).assumptions)
