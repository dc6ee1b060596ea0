from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from exchange_calendars import get_calendar

from pipeline.calendars import (
    BY_INDEX,
    BY_SUFFIX,
    NEW_YORK,
    NEW_YORK_INDICES,
    calendar_of,
    sessions,
    trusted_days,
    zone_of,
)


def test_closures_that_no_rule_tells_are_known():
    days = sessions(NEW_YORK, date(2001, 9, 10), date(2001, 9, 17))
    assert [day.day for day in days] == [10, 17]


@pytest.mark.parametrize(
    ("calendar", "first", "last"),
    [(NEW_YORK, 1993, 2026), (NEW_YORK, 1896, 1901), ("XLON", 1999, 2000), ("XTKS", 2015, 2016), ("XHKG", 2001, 2050)],
)
def test_sessions_are_those_of_a_calendar_of_these_years_alone(calendar, first, last):
    lowest, highest = (getattr(get_calendar(calendar), name)() for name in ("bound_min", "bound_max"))
    start, end = pd.Timestamp(first, 1, 1), min(pd.Timestamp(last, 12, 31), highest or pd.Timestamp.max)
    alone = get_calendar(calendar, start=max(start, lowest or start), end=end)
    assert sessions(calendar, date(first, 1, 1), date(last, 12, 31)).equals(alone.sessions.as_unit("ns"))


@pytest.mark.slow
@pytest.mark.parametrize("calendar", sorted({NEW_YORK, *BY_INDEX.values(), *BY_SUFFIX.values()}))
def test_every_calendar_that_is_named_exists(calendar):
    assert len(sessions(calendar, date(2024, 1, 1), date(2024, 12, 31))) > 240


@pytest.mark.parametrize("ticker", [*NEW_YORK_INDICES, "SPY", "DIA", "QQQ"])
def test_american_tickers_trade_in_new_york(ticker):
    assert calendar_of(ticker) == NEW_YORK


@pytest.mark.parametrize("ticker", ["^STOXX50E", "ABC.XX", "GC=F"])
def test_unknown_stays_unknown(ticker):
    assert calendar_of(ticker) is None


@pytest.mark.parametrize(
    ("ticker", "calendar", "zone"),
    [
        ("7203.T", "XTKS", "Asia/Tokyo"),
        ("SAP.DE", "XETR", "Europe/Berlin"),
        ("SAN.MC", "XMAD", "Europe/Madrid"),
        ("BHP.AX", "XASX", "Australia/Sydney"),
        ("0700.HK", "XHKG", "Asia/Hong_Kong"),
        ("^N225", "XTKS", "Asia/Tokyo"),
        ("^GDAXI", "XETR", "Europe/Berlin"),
        ("BRK-B", "XNYS", "America/New_York"),
        ("ETH-EUR", None, "UTC"),
    ],
)
def test_a_ticker_tells_its_exchange_and_its_zone(ticker, calendar, zone):
    assert (calendar_of(ticker), str(zone_of(ticker))) == (calendar, zone)


@pytest.mark.lesson("L43")
def test_a_calendar_is_asked_no_further_than_it_reaches():
    assert len(sessions("XTKS", date(1980, 1, 1), date(1996, 12, 31))) == 0
    assert sessions("XBOM", date(2026, 1, 1), date(2028, 12, 31))[-1].year == 2026
    first, last = trusted_days("XBOM")
    assert (first.year, last.year) == (2000, 2026)
