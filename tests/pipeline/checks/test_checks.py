"""Each check on a planted fault, which it alone finds; and a clean series, in which none finds anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.checks import CHECKS, Severity, check_bars, refuse_errors
from pipeline.exceptions import DataError

Plant = Callable[[pd.DataFrame], pd.DataFrame]
FAULT = 350


def put(row: int | slice, **values: Any) -> Plant:
    def plant(bars: pd.DataFrame) -> pd.DataFrame:
        changed = bars.copy()
        for name, value in values.items():
            changed.iloc[row, changed.columns.get_loc(name)] = value
        return changed

    return plant


def scale(factor: float, rows: slice, *columns: str) -> Plant:
    def plant(bars: pd.DataFrame) -> pd.DataFrame:
        changed = bars.copy()
        changed.iloc[rows, [changed.columns.get_loc(name) for name in columns]] *= factor
        return changed

    return plant


def duplicate(bars: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([bars.iloc[: FAULT + 1], bars.iloc[FAULT:]])


def swap(bars: pd.DataFrame) -> pd.DataFrame:
    order = np.arange(len(bars))
    order[[FAULT, FAULT + 1]] = order[[FAULT + 1, FAULT]]
    return bars.iloc[order]


def add_saturday(bars: pd.DataFrame) -> pd.DataFrame:
    friday = bars.index[(bars.index.dayofweek == 4)][20]
    saturday = bars.loc[[friday]].set_axis([friday + pd.Timedelta(days=1)])
    return pd.concat([bars, saturday]).sort_index().rename_axis("date")


def flat_run(bars: pd.DataFrame) -> pd.DataFrame:
    changed = bars.copy()
    for name in ("open", "high", "low"):
        changed.iloc[FAULT : FAULT + 4, changed.columns.get_loc(name)] = bars["close"].iloc[FAULT : FAULT + 4]
    return changed


def repeated_open(bars: pd.DataFrame) -> pd.DataFrame:
    changed = bars.copy()
    year = np.flatnonzero(bars.index.year == 2016)[10:160]
    changed.iloc[year, changed.columns.get_loc("open")] = bars["close"].to_numpy()[year - 1]
    changed["high"] = changed[["open", "high"]].max(axis=1)
    changed["low"] = changed[["open", "low"]].min(axis=1)
    return changed


def crash(bars: pd.DataFrame) -> pd.DataFrame:
    """A day's close 17 % off, and everything after it too: no split ratio is near."""
    changed = scale(0.83, slice(FAULT + 1, None), "open", "high", "low", "close", "adj_close")(bars)
    return scale(0.83, slice(FAULT, FAULT + 1), "low", "close", "adj_close")(changed)


def seam(bars: pd.DataFrame) -> pd.DataFrame:
    """Rows appended after a dividend of 0.26 %, which the earlier rows don't know."""
    return scale(0.9974, slice(FAULT, FAULT + 100), "adj_close")(bars)


@dataclass(frozen=True)
class Planted:
    plant: Plant
    item: str
    items: int = 1
    settings: dict[str, Any] = field(default_factory=dict)


PRICES = ("open", "high", "low", "close", "adj_close")
FAULTS = {
    "schema": Planted(put(FAULT, close=np.nan), "2016-05-24 close"),
    "unsorted_dates": Planted(swap, "2016-05-24 after 2016-05-25"),
    "duplicate_dates": Planted(duplicate, "2016-05-24"),
    "non_positive_prices": Planted(put(FAULT, low=0.0), "2016-05-24 low 0"),
    "price_bounds": Planted(scale(0.5, slice(FAULT, FAULT + 1), "high"), "2016-05-24 open"),
    "non_sessions": Planted(add_saturday, "2015-05-30 Sat"),
    "missing_sessions": Planted(lambda bars: bars.drop(bars.index[FAULT]), "2016-05-24 Tue"),
    "stale_tail": Planted(
        lambda bars: bars, "2017-10-11, 2 sessions behind QQQ", settings={"last_sessions": {"QQQ": "2017-10-13"}}
    ),
    "zero_volume": Planted(put(FAULT, volume=0.0), "2016-05-24 volume 0"),
    "return_outliers": Planted(crash, "2016-05-24 return -1"),
    "flat_bars": Planted(flat_run, "2016-05-24 to 2016-05-27, 4 days"),
    "open_equals_previous_close": Planted(repeated_open, "2016: 59.5% of 252 days"),
    "unapplied_split": Planted(scale(0.25, slice(FAULT, None), *PRICES), "2016-05-24 close"),
    "adjustment_seam": Planted(seam, "2016-05-24 adjustment factor falls by 0.2600%"),
}


@pytest.fixture(scope="module")
def clean(bars) -> pd.DataFrame:
    """Bars with a dividend a quarter, rightly adjusted."""
    factor = pd.Series(1.0, index=bars.index)
    for ex_row in range(60, len(bars), 63):
        factor.iloc[:ex_row] *= 0.995
    return bars.assign(adj_close=bars["close"] * factor)


@pytest.mark.lesson("L16")
@pytest.mark.parametrize("ticker", ["SPY", "^VIX"])
def test_a_clean_series_raises_nothing(clean, ticker):
    report = check_bars(ticker, clean, last_sessions={"QQQ": clean.index[-1]}, previous=clean.iloc[:-5])
    assert not report.findings
    if ticker == "SPY":
        assert set(report.passed) == {check.name for check in CHECKS}
    refuse_errors(check_bars(ticker, clean))


def test_every_check_has_a_planted_fault():
    assert set(FAULTS) == {check.name for check in CHECKS}


@pytest.mark.lesson("L16")
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_by_its_check_alone(clean, name):
    fault = FAULTS[name]
    settings = {
        key: {ticker: pd.Timestamp(day) for ticker, day in value.items()} for key, value in fault.settings.items()
    }
    report = check_bars("SPY", fault.plant(clean), **settings)
    assert [finding.check for finding in report.findings] == [name]
    finding = report.findings[0]
    assert len(finding.items) == fault.items
    assert finding.items[0].startswith(fault.item)


@pytest.mark.lesson("L16")
@pytest.mark.parametrize("name", FAULTS)
def test_errors_are_refused_and_warnings_are_not(clean, name):
    severity = next(check.severity for check in CHECKS if check.name == name)
    faulty = FAULTS[name].plant(clean)
    if severity is Severity.ERROR:
        with pytest.raises(DataError, match=f"SPY: {name}: .*, got .*; "):
            refuse_errors(check_bars("SPY", faulty))
    else:
        refuse_errors(check_bars("SPY", faulty))


def test_the_severities_are_pinned():
    errors = {check.name for check in CHECKS if check.severity is Severity.ERROR}
    assert errors == {
        "schema",
        "unsorted_dates",
        "duplicate_dates",
        "non_positive_prices",
        "price_bounds",
        "non_sessions",
        "missing_sessions",
        "unapplied_split",
    }


def test_what_can_not_be_checked_is_said(clean):
    report = check_bars("^STOXX50E", clean.assign(volume=0.0))
    assert not report.findings
    reasons = dict(text.split(": ", 1) for text in report.not_applied)
    assert set(reasons) == {"non_sessions", "missing_sessions", "stale_tail", "zero_volume", "unapplied_split"}
    assert "no exchange calendar" in reasons["non_sessions"]


def test_after_a_fault_of_form_the_rest_is_not_guessed(clean):
    report = check_bars("SPY", put(FAULT, close=np.nan)(clean))
    assert not report.passed
    assert all("schema must hold first" in text for text in report.not_applied)


@pytest.mark.parametrize(
    "broken", [pd.DataFrame(), pd.DataFrame({"close": ["1"]}, index=pd.DatetimeIndex(["2020-01-02"]))]
)
def test_any_frame_gets_a_report(broken):
    assert [finding.check for finding in check_bars("SPY", broken).errors] == ["schema"]


def test_several_errors_are_counted_in_one_line(clean):
    faulty = put(FAULT, low=0.0)(scale(0.5, slice(40, 41), "high")(clean))
    with pytest.raises(DataError, match=r"non_positive_prices.*\(1 other checks fail too\)") as raised:
        refuse_errors(check_bars("SPY", faulty))
    assert "\n" not in str(raised.value)
