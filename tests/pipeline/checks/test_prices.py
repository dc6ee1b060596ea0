from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.checks import check_bars
from pipeline.checks.prices import OUTLIER_SCALES, SPLIT_RATIOS
from pipeline.sources import open_source

PRICES = ["open", "high", "low", "close", "adj_close"]


def scaled(bars: pd.DataFrame, factor: float, rows: slice) -> pd.DataFrame:
    changed = bars.copy()
    changed.iloc[rows, [changed.columns.get_loc(name) for name in PRICES]] *= factor
    return changed


def found(bars: pd.DataFrame, ticker: str = "SPY", **settings: object) -> dict[str, tuple[str, ...]]:
    return {finding.check: finding.items for finding in check_bars(ticker, bars, **settings).findings}


@pytest.mark.lesson("L16")
def test_the_real_index_has_its_known_fault():
    """The S&P 500 as distributed has open = previous close until 2005."""
    items = found(open_source("sample").fetch("^GSPC").bars, "^GSPC")["open_equals_previous_close"]
    assert [item[:4] for item in items] == [str(year) for year in range(1999, 2006)]


@pytest.mark.lesson("L16")
def test_two_years_of_flat_bars_are_one_run(make_bars):
    """As ^VIX in 1990 and 1991."""
    bars = make_bars(700, start="1990-01-02").assign(volume=0.0)
    early = bars.index.year <= 1991
    for name in ("open", "high", "low"):
        bars[name] = np.where(early, bars["close"], bars[name])
    assert found(bars, "^VIX") == {"flat_bars": ("1990-01-02 to 1991-12-31, 506 days",)}


@pytest.mark.parametrize("ratio", SPLIT_RATIOS)
@pytest.mark.parametrize("reverse", [False, True])
def test_splits_of_usual_ratios_are_told(bars, ratio, reverse):
    faulty = scaled(bars, ratio if reverse else 1 / ratio, slice(400, None))
    items = found(faulty)
    assert list(items) == ["unapplied_split"]
    assert f"split of {ratio:g}" in items["unapplied_split"][0]
    assert ("reverse" in items["unapplied_split"][0]) is reverse


def test_an_index_does_not_split(bars):
    assert list(found(scaled(bars, 2.0, slice(400, None)), "^VIX")) == ["return_outliers"]


def test_a_fall_within_the_day_is_no_split(bars):
    faulty = scaled(bars, 0.5, slice(401, None))
    faulty.iloc[400, [faulty.columns.get_loc(name) for name in ("low", "close", "adj_close")]] *= 0.5
    assert list(found(faulty)) == ["return_outliers"]


def test_a_split_that_the_adjusted_close_knows_is_applied(bars):
    raw = scaled(bars, 0.25, slice(400, None))
    known = raw.assign(adj_close=raw["close"] * np.where(np.arange(len(bars)) < 400, 0.25, 1.0))
    assert not found(known)


def test_outliers_are_judged_by_the_year_around_them(bars):
    """A rough year is no series of outliers; the same move in a calm one is."""
    returns = np.log(bars["close"]).diff().abs()
    scale = returns.median() * 1.4826
    assert found(scaled(bars, float(np.exp(1.5 * OUTLIER_SCALES * scale)), slice(400, None)))
    rough = bars.copy()
    moves = np.random.default_rng(5).normal(0, 0.05, len(bars))
    moves[:250] = np.log(bars["close"]).diff().fillna(0).iloc[:250]
    close = 100 * np.exp(np.cumsum(moves))
    for name in PRICES:
        rough[name] = bars[name] / bars["close"] * close
    assert not found(rough)


@pytest.mark.lesson("L13")
def test_a_seam_in_an_adjusted_series_shows_against_the_snapshot_before(bars):
    """Prices that came adjusted carry no factor; only the earlier snapshot tells that half of them moved."""
    appended = scaled(bars, 1 - 0.0026, slice(0, 300))
    assert not found(appended)
    assert list(found(appended, previous=bars)) == ["adjustment_seam"]
    restated = scaled(bars, 1 - 0.0026, slice(None))
    assert not found(restated, previous=bars)


def test_zero_volume_before_a_ticker_had_any_is_no_fault(bars):
    early = bars.assign(volume=np.where(np.arange(len(bars)) < 300, 0.0, bars["volume"]))
    items = found(early).get("zero_volume", ())
    assert len(items) <= 126
    assert found(bars.assign(volume=0.0)) == {}
