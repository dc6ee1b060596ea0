from __future__ import annotations

import numpy as np
import pytest

from pipeline.indicators import volatility

DAILY = 0.01
ANNUAL = DAILY * np.sqrt(252)


@pytest.fixture(scope="module")
def walk() -> tuple[np.ndarray, ...]:
    """Four thousand days of a finely simulated walk without gaps, 1 % a day."""
    steps = np.random.default_rng(0).normal(0, DAILY / 20, (4000, 400))
    path = np.cumsum(steps.ravel()).reshape(4000, 400)
    opened = np.concatenate(([0.0], path[:-1, -1]))
    high, low = np.maximum(path.max(axis=1), opened), np.minimum(path.min(axis=1), opened)
    return tuple(np.exp(values) for values in (opened, high, low, path[:, -1]))


def test_every_estimator_finds_the_volatility_of_a_walk(walk):
    opened, high, low, close = walk
    days = len(close) - 1
    estimates = {
        "close": volatility.realised_volatility(close, days),
        "parkinson": volatility.parkinson(high, low, days),
        "garman_klass": volatility.garman_klass(opened, high, low, close, days),
        "yang_zhang": volatility.yang_zhang(opened, high, low, close, days),
        "har": volatility.har_volatility(opened, high, low, close, days),
    }
    for name, estimate in estimates.items():
        assert estimate[-1] == pytest.approx(ANNUAL, rel=0.06), name


def test_ranges_are_more_precise_than_closes(walk):
    opened, high, low, close = walk
    spread = {
        "close": np.nanstd(volatility.realised_volatility(close, 21)),
        "parkinson": np.nanstd(volatility.parkinson(high, low, 21)),
        "garman_klass": np.nanstd(volatility.garman_klass(opened, high, low, close, 21)),
    }
    assert spread["garman_klass"] < spread["parkinson"] < spread["close"]


def test_yang_zhang_equals_its_formula(bars):
    window = bars.iloc[-22:]
    overnight = np.log(window["open"] / window["close"].shift()).iloc[1:]
    body = np.log(window["close"] / window["open"]).iloc[1:]
    up, down = np.log(window["high"] / window["open"]).iloc[1:], np.log(window["low"] / window["open"]).iloc[1:]
    rogers_satchell = (up * (up - body) + down * (down - body)).mean()
    k = 0.34 / (1.34 + 22 / 20)
    expected = np.sqrt(252 * (overnight.var() + k * body.var() + (1 - k) * rogers_satchell))
    arrays = [bars[name].to_numpy() for name in ("open", "high", "low", "close")]
    assert volatility.yang_zhang(*arrays, period=21)[-1] == pytest.approx(expected)


def test_the_premium_is_zero_where_implied_equals_realised(bars):
    close = bars["close"].to_numpy()
    vix = 100 * volatility.realised_volatility(close, 21)
    np.testing.assert_allclose(volatility.variance_premium(vix, close, 21)[21:], 0, atol=1e-12)


def test_har_over_one_day_holds_the_gap():
    opened, high, low, close = (np.array([1.0, value]) for value in (1.1, 1.1, 1.1, 1.1))
    assert volatility.har_volatility(opened, high, low, close, 1)[-1] == pytest.approx(np.log(1.1) * np.sqrt(252))
