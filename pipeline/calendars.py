"""Exchange calendars: which days are sessions, for a ticker's exchange."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import pandas as pd

NEW_YORK = "XNYS"
TRUSTED_FROM = date(1954, 1, 1)
"""Before it the New York calendar leaves out the Saturday sessions and some closures."""

BY_INDEX = {"^FTSE": "XLON", "^GDAXI": "XETR", "^N225": "XTKS", "^HSI": "XHKG", "^GSPTSE": "XTSE", "^FCHI": "XPAR"}
BY_SUFFIX = dict(L="XLON", DE="XETR", T="XTKS", HK="XHKG", TO="XTSE", PA="XPAR", AS="XAMS", SW="XSWX", MI="XMIL")
NEW_YORK_INDICES = ("^GSPC", "^IXIC", "^DJI", "^VIX", "^NDX", "^RUT", "^VXN", "^VIX3M", "^SPX", "^NYA", "^XAX")


def calendar_of(ticker: str) -> str | None:
    """Name of the calendar of a ticker in Yahoo's spelling, or None where we know none.

    Examples
    --------
    >>> [calendar_of(ticker) for ticker in ("SPY", "^VIX", "BRK-B", "VOD.L", "^FTSE", "BTC-USD", "EURUSD=X")]
    ['XNYS', 'XNYS', 'XNYS', 'XLON', 'XLON', None, None]
    """
    if ticker.startswith("^"):
        return NEW_YORK if ticker in NEW_YORK_INDICES else BY_INDEX.get(ticker)
    if "=" in ticker or ticker.endswith("-USD"):
        return None
    _, dot, suffix = ticker.rpartition(".")
    return BY_SUFFIX.get(suffix) if dot else NEW_YORK


def sessions(calendar: str, first: date, last: date) -> pd.DatetimeIndex:
    """Sessions from ``first`` to ``last``, both inclusive.

    Examples
    --------
    >>> [str(day.date()) for day in sessions("XNYS", date(2024, 7, 3), date(2024, 7, 5))]
    ['2024-07-03', '2024-07-05']
    """
    days = _sessions_of_years(calendar, first.year, last.year)
    return days[(days >= pd.Timestamp(first)) & (days <= pd.Timestamp(last))]


@lru_cache(maxsize=32)
def _sessions_of_years(calendar: str, first: int, last: int) -> pd.DatetimeIndex:
    import exchange_calendars

    opened = exchange_calendars.get_calendar(calendar, start=f"{first}-01-01", end=f"{last}-12-31")
    return pd.DatetimeIndex(opened.sessions).as_unit("ns")
