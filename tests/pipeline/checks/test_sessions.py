from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from pipeline.calendars import sessions
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


@pytest.mark.lesson("L43")
@pytest.mark.parametrize(
    ("ticker", "calendar"),
    [("7203.T", "XTKS"), ("SAP.DE", "XETR"), ("SAN.MC", "XMAD"), ("BHP.AX", "XASX"), ("^HSI", "XHKG")],
)
def test_every_exchange_has_its_own_days_and_no_weekends(bars, ticker, calendar):
    days = sessions(calendar, date(2010, 1, 1), date(2014, 12, 31))[: len(bars)]
    own = bars.set_axis(days.rename("date"))
    assert not check_bars(ticker, own).errors
    early = own.set_axis(own.index - pd.Timedelta(days=1))
    assert "Sun" in " ".join(check_bars(ticker, early).errors[0].items)


def test_days_beyond_a_calendar_are_not_judged(bars):
    old = bars.set_axis(pd.date_range("1990-01-01", periods=len(bars), name="date").as_unit("ns"))
    report = check_bars("7203.T", old)
    assert "the calendar is trusted from 2000-01-01 to 2199-12-31 only" in " ".join(report.not_applied)


def test_a_halt_that_is_accepted_is_no_error_and_is_reported(bars):
    halted = bars.drop(bars.index[[300, 301]])
    names = [f"missing_sessions:{day.date()}" for day in bars.index[[300, 301]]]
    report = check_bars("SPY", halted, accepted=[*names, "missing_sessions:1999-01-04"])
    assert not report.errors and report.accepted == tuple(names)
    assert f"accepted: {', '.join(names)}" in report.text()
    (left,) = check_bars("SPY", halted, accepted=names[:1]).errors
    assert left.items == (f"{bars.index[301]:%Y-%m-%d %a}",)
