"""Exchange calendars: which days are sessions, and which zone's date is theirs, for a ticker's exchange."""

from __future__ import annotations

import re
from datetime import UTC, date, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

NEW_YORK = "XNYS"
TRUSTED_FROM = date(1954, 1, 1)
"""Before it the New York calendar leaves out the Saturday sessions and some closures."""
OTHERS_TRUSTED_FROM = date(2000, 1, 1)
"""The library vouches for about twenty years of the other exchanges."""

BY_INDEX = {
    **{"^FTSE": "XLON", "^FTMC": "XLON", "^FTAS": "XLON", "^GDAXI": "XETR", "^MDAXI": "XETR", "^SDAXI": "XETR"},
    **{"^TECDAX": "XETR", "^FCHI": "XPAR", "^SBF120": "XPAR", "^IBEX": "XMAD", "^AEX": "XAMS", "^BFX": "XBRU"},
    **{"^SSMI": "XSWX", "^ATX": "XWBO", "^OMX": "XSTO", "^OMXS30": "XSTO", "^OMXC25": "XCSE", "^OMXH25": "XHEL"},
    **{"^N225": "XTKS", "^HSI": "XHKG", "^HSCE": "XHKG", "^KS11": "XKRX", "^KQ11": "XKRX", "^TWII": "XTAI"},
    **{"^STI": "XSES", "^KLSE": "XKLS", "^NSEI": "XBOM", "^NSEBANK": "XBOM", "^BSESN": "XBOM"},
    **{"^AXJO": "XASX", "^AORD": "XASX", "^NZ50": "XNZE", "^GSPTSE": "XTSE", "^BVSP": "BVMF", "^MXX": "XMEX"},
    "^MERV": "XBUE",
}
BY_SUFFIX = {
    **{"L": "XLON", "IL": "XLON", "DE": "XETR", "F": "XFRA", "DU": "XDUS", "HM": "XHAM", "SG": "XSTU", "PA": "XPAR"},
    **{"MC": "XMAD", "AS": "XAMS", "BR": "XBRU", "LS": "XLIS", "MI": "XMIL", "SW": "XSWX", "VI": "XWBO", "IR": "XDUB"},
    **{"ST": "XSTO", "CO": "XCSE", "HE": "XHEL", "OL": "XOSL", "IC": "XICE", "WA": "XWAR", "PR": "XPRA", "BD": "XBUD"},
    **{"IS": "XIST", "SR": "XSAU", "JO": "XJSE", "RG": "XRIS", "TL": "XTAL", "VS": "XLIT"},
    **{"T": "XTKS", "HK": "XHKG", "SS": "XSHG", "SZ": "XSHG", "TW": "XTAI", "TWO": "XTAI", "KS": "XKRX", "KQ": "XKRX"},
    **{"SI": "XSES", "KL": "XKLS", "BK": "XBKK", "NS": "XBOM", "BO": "XBOM", "PS": "XPHS", "KA": "XKAR"},
    **{"AX": "XASX", "NZ": "XNZE", "TO": "XTSE", "V": "XTSE", "NE": "XTSE", "SA": "BVMF", "MX": "XMEX", "BA": "XBUE"},
    **{"SN": "XSGO", "LIM": "XLIM", "ME": "XMOS", "US": NEW_YORK},
}
NEW_YORK_INDICES = (
    *("^GSPC", "^IXIC", "^DJI", "^VIX", "^NDX", "^RUT", "^VXN", "^VIX3M", "^SPX", "^NYA", "^XAX"),
    *("^OEX", "^MID", "^SP400", "^SP600", "^RUA", "^RUI", "^W5000", "^DJT", "^DJU", "^SOX", "^VVIX", "^VXD", "^SKEW"),
)
CRYPTO = re.compile(r"-(USD|USDT|USDC|EUR|GBP|JPY|KRW|CAD|AUD|BTC|ETH)$")


def calendar_of(ticker: str) -> str | None:
    """Name of the calendar of a ticker in Yahoo's spelling, or None where we know none.

    Examples
    --------
    >>> [calendar_of(ticker) for ticker in ("SPY", "^VIX", "BRK-B", "VOD.L", "^FTSE", "BTC-USD", "EURUSD=X")]
    ['XNYS', 'XNYS', 'XNYS', 'XLON', 'XLON', None, None]
    """
    if ticker.startswith("^"):
        return NEW_YORK if ticker in NEW_YORK_INDICES else BY_INDEX.get(ticker)
    if "=" in ticker or CRYPTO.search(ticker):
        return None
    _, dot, suffix = ticker.rpartition(".")
    return BY_SUFFIX.get(suffix) if dot else NEW_YORK


def zone_of(ticker: str) -> tzinfo | None:
    """Zone whose date is the date of a bar: the exchange's, UTC for what trades around the clock, else None.

    Examples
    --------
    >>> [str(zone_of(ticker)) for ticker in ("SPY", "SAN.MC", "BTC-USD", "ABC.XX")]
    ['America/New_York', 'Europe/Madrid', 'UTC', 'None']
    """
    calendar = calendar_of(ticker)
    if calendar is None:
        return UTC if CRYPTO.search(ticker) else None
    return _standard(calendar).tz


def trusted_days(calendar: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last day on which a calendar's word counts.

    Examples
    --------
    >>> [str(trusted_days(calendar)[0].date()) for calendar in ("XNYS", "XTKS", "XSAU")]
    ['1954-01-01', '2000-01-01', '2021-01-01']
    """
    bounds = _bounds(calendar)
    return max(bounds[0], pd.Timestamp(TRUSTED_FROM if calendar == NEW_YORK else OTHERS_TRUSTED_FROM)), bounds[1]


def sessions(calendar: str, first: date, last: date) -> pd.DatetimeIndex:
    """Sessions from ``first`` to ``last``, both inclusive, as far as the calendar reaches.

    Examples
    --------
    >>> [str(day.date()) for day in sessions("XNYS", date(2024, 7, 3), date(2024, 7, 5))]
    ['2024-07-03', '2024-07-05']
    """
    earliest, latest = _bounds(calendar)
    start, end = max(pd.Timestamp(first), earliest), min(pd.Timestamp(last), latest)
    if start > end:
        return pd.DatetimeIndex([]).as_unit("ns")
    days = _sessions_of_centuries(calendar, min(start.year // 100, 19), max(end.year // 100, 20))
    return days[(days >= start) & (days <= end)]


@lru_cache(maxsize=32)
def _sessions_of_centuries(calendar: str, first: int, last: int) -> pd.DatetimeIndex:
    """Sessions of 1900 to 2099 for 19 and 20: to open a calendar takes as long for a year as for both centuries."""
    import exchange_calendars

    earliest, latest = _bounds(calendar)
    start, end = max(pd.Timestamp(100 * first, 1, 1), earliest), min(pd.Timestamp(100 * last + 99, 12, 31), latest)
    opened = exchange_calendars.get_calendar(calendar, start=start, end=end)
    return pd.DatetimeIndex(opened.sessions).as_unit("ns")


@lru_cache(maxsize=32)
def _bounds(calendar: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last day that the library has of a calendar."""
    opened = _standard(calendar)
    earliest, latest = opened.bound_min(), opened.bound_max()
    return (
        pd.Timestamp(1800, 1, 1) if earliest is None else earliest,
        pd.Timestamp(2199, 12, 31) if latest is None else latest,
    )


@lru_cache(maxsize=32)
def _standard(calendar: str) -> ExchangeCalendar:
    import exchange_calendars

    return exchange_calendars.get_calendar(calendar)
