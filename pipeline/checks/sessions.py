"""Checks of dates: sessions that are missing, days that are none, a stale tail."""

from __future__ import annotations

from datetime import date

import pandas as pd

from pipeline.calendars import sessions, trusted_days
from pipeline.checks.check import NotApplicable, Series, error, warning


def _calendar_days(series: Series) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Dates of the bars and sessions of the calendar over the same, trusted, span."""
    if series.calendar is None:
        raise NotApplicable("no exchange calendar is known for this ticker")
    dates = pd.DatetimeIndex(series.bars.index)
    earliest, latest = trusted_days(series.calendar)
    dates = dates[(dates >= earliest) & (dates <= latest)]
    if not len(dates):
        raise NotApplicable(f"the calendar is trusted from {earliest.date()} to {latest.date()} only")
    return dates, sessions(series.calendar, dates[0].date(), dates[-1].date())


@error("every bar must be of a session of the exchange", remedy="remove the rows at the source")
def _non_sessions(series: Series) -> list[str]:
    dates, expected = _calendar_days(series)
    return [f"{day:%Y-%m-%d %a}" for day in dates.difference(expected)]


@error(
    "every session between the first and the last must have a bar",
    remedy="pull again, take another source, or accept a trading halt: hpo --accept missing_sessions:DAY",
)
def _missing_sessions(series: Series) -> list[str]:
    dates, expected = _calendar_days(series)
    return [f"{day:%Y-%m-%d %a}" for day in expected.difference(dates)]


@warning("the last session must be that of the other tickers", remedy="pull this ticker again")
def _stale_tail(series: Series) -> list[str]:
    if not series.last_sessions:
        raise NotApplicable("no other ticker to compare with")
    own = series.bars.index[-1]
    freshest, last = max(series.last_sessions.items(), key=lambda item: item[1])
    if own >= last:
        return []
    behind = count_sessions(series.calendar, own.date(), last.date())
    return [f"{own.date()}, {behind} sessions behind {freshest} ({last.date()})"]


def count_sessions(calendar: str | None, after: date, until: date) -> int:
    """Sessions in (after, until]; weekdays where no calendar is known.

    Examples
    --------
    >>> count_sessions("XNYS", date(2024, 7, 3), date(2024, 7, 8))
    2
    """
    days = sessions(calendar, after, until) if calendar and after <= until else pd.bdate_range(after, until)
    return int((days > pd.Timestamp(after)).sum())


SESSIONS = (_non_sessions, _missing_sessions, _stale_tail)
