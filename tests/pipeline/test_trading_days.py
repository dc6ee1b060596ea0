from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from pipeline.calendars import sessions
from pipeline.trading_days import expected_days, full_years, overdue_days, own_weekdays

SPAN = (date(2008, 1, 1), date(2019, 12, 31))
CALENDARS = ("XNYS", "XTKS", "XETR", "XLON", "XMAD", "XHKG", "XASX", "XTSE", "XPAR", "XKRX", "BVMF", "XSHG", "XWAR")


@pytest.fixture(scope="module", params=CALENDARS)
def calendar(request):
    """One calendar after the other: each takes seconds to make, and few are kept."""
    return request.param


@pytest.mark.slow
@pytest.mark.lesson("L43")
@pytest.mark.parametrize("known", [True, False])
def test_a_series_that_ends_with_its_year_has_that_year(calendar, known):
    """Frankfurt's and Tokyo's last session is of December 30; also where nobody knows the exchange."""
    dates = sessions(calendar, *SPAN)
    assert full_years(dates, calendar if known else None) == list(range(2008, 2020))


@pytest.mark.slow
@pytest.mark.lesson("L43")
def test_a_session_that_is_missing_at_an_end_is_missed_by_the_calendar(calendar):
    dates = sessions(calendar, *SPAN)
    assert full_years(dates[1:-1], calendar) == list(range(2009, 2019))


@pytest.mark.lesson("L43")
def test_seven_days_a_week_miss_one():
    dates = pd.date_range("2015-01-01", "2019-12-31")
    assert full_years(dates, None) == [2015, 2016, 2017, 2018, 2019]
    assert full_years(dates[1:-1], None) == [2016, 2017, 2018]
    assert full_years(pd.date_range("2019-01-01", "2019-12-31"), None) == [2019]


def test_a_series_of_weekdays_that_ends_in_autumn_has_no_full_last_year():
    dates = sessions("XLON", date(2010, 1, 1), date(2019, 11, 15))
    assert full_years(dates, None)[-1] == 2018


def test_before_the_calendar_is_trusted_the_series_own_days_count():
    dates = sessions("XETR", date(1990, 1, 1), date(1999, 12, 31))
    assert full_years(dates, "XTKS") == list(range(1990, 2000))


def test_weekdays_are_those_on_which_a_series_mostly_trades():
    sundays = pd.date_range("2020-01-01", "2020-12-31")
    sundays = sundays[sundays.dayofweek.isin([6, 0, 1, 2, 3])]
    assert own_weekdays(sundays) == [0, 1, 2, 3, 6]


def test_days_that_are_due_are_counted_by_calendar_or_rhythm():
    days = pd.date_range("2018-01-01", "2018-12-31")
    assert len(overdue_days(days, None, date(2019, 1, 5))) == 4
    assert len(overdue_days(pd.bdate_range("2018-01-01", "2018-12-31"), None, date(2019, 1, 5))) == 4
    assert len(overdue_days(days, "XNYS", date(2018, 12, 31))) == 0
    assert list(expected_days(days, "XETR", date(2018, 12, 28), date(2019, 1, 2)).day) == [28, 2]
