from __future__ import annotations

from datetime import date

import pandas as pd

from pipeline.checks import check_bars
from pipeline.checks.sessions import count_sessions


def test_a_holiday_is_no_session(bars):
    christmas = bars.iloc[[5]].set_axis(pd.DatetimeIndex(["2015-12-25"]))
    faulty = pd.concat([bars, christmas]).sort_index().rename_axis("date")
    assert check_bars("SPY", faulty).errors[0].items == ("2015-12-25 Fri",)


def test_history_before_the_calendar_is_trusted_is_not_judged(bars):
    old = bars.set_axis(pd.date_range("1950-01-01", periods=len(bars), name="date").as_unit("ns"))
    report = check_bars("^GSPC", old)
    assert {text.split(":")[0] for text in report.not_applied} >= {"non_sessions", "missing_sessions"}


def test_another_exchange_has_its_own_sessions(bars):
    report = check_bars("VOD.L", bars)
    assert {finding.check for finding in report.errors} == {"non_sessions", "missing_sessions"}


def test_being_ahead_of_the_others_is_not_stale(bars):
    assert not check_bars("SPY", bars, last_sessions={"QQQ": bars.index[-3]}).findings


def test_a_ticker_is_not_compared_with_itself(bars):
    assert not check_bars("SPY", bars.iloc[:-3], last_sessions={"SPY": bars.index[-1]}).findings


def test_sessions_are_counted_by_weekdays_where_no_calendar_is_known():
    assert count_sessions(None, date(2024, 7, 3), date(2024, 7, 8)) == 3
    assert count_sessions("XNYS", date(2024, 7, 8), date(2024, 7, 3)) == 0
