from __future__ import annotations

from datetime import date

import pytest

from pipeline.calendars import BY_INDEX, BY_SUFFIX, NEW_YORK, NEW_YORK_INDICES, calendar_of, sessions


def test_closures_that_no_rule_tells_are_known():
    days = sessions(NEW_YORK, date(2001, 9, 10), date(2001, 9, 17))
    assert [day.day for day in days] == [10, 17]


@pytest.mark.parametrize("calendar", sorted({NEW_YORK, *BY_INDEX.values(), *BY_SUFFIX.values()}))
def test_every_calendar_that_is_named_exists(calendar):
    assert len(sessions(calendar, date(2024, 1, 1), date(2024, 12, 31))) > 240


@pytest.mark.parametrize("ticker", [*NEW_YORK_INDICES, "SPY", "DIA", "QQQ"])
def test_american_tickers_trade_in_new_york(ticker):
    assert calendar_of(ticker) == NEW_YORK


@pytest.mark.parametrize("ticker", ["^STOXX50E", "ABC.XX", "GC=F"])
def test_unknown_stays_unknown(ticker):
    assert calendar_of(ticker) is None
