"""Days on which a series should have bars: its exchange's sessions, or the rhythm of its own where it has none."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from pipeline.calendars import sessions, trusted_days

TRADED_SHARE = 0.5
"""Of the Mondays, Tuesdays, … between first and last day: from it on a weekday is one on which the series trades."""
WHOLE_WEEK = 7
USUAL_SLACK = 7
"""Days that a year may begin late or end early where a series of no known exchange has no whole year to show it."""
LONGEST_SLACK = 10


def own_weekdays(dates: pd.DatetimeIndex) -> list[int]:
    """Weekdays on which a series trades, Monday is 0.

    Examples
    --------
    >>> own_weekdays(pd.bdate_range("2024-01-01", "2024-03-31"))
    [0, 1, 2, 3, 4]
    """
    every = pd.date_range(dates[0], dates[-1]).dayofweek.value_counts()
    own = dates.dayofweek.value_counts()
    return sorted(int(day) for day in every.index if own.get(day, 0) >= TRADED_SHARE * every[day])


def expected_days(dates: pd.DatetimeIndex, calendar: str | None, first: date, last: date) -> pd.DatetimeIndex:
    """Days from ``first`` to ``last``, both inclusive, on which a series should have a bar.

    Parameters
    ----------
    dates : DatetimeIndex
        Of the series; its own weekdays count where no calendar is known.
    calendar : str or None
        Of its exchange.
    first, last : date
        Which days.
    """
    if calendar is not None:
        return sessions(calendar, first, last)
    days = pd.date_range(first, last).as_unit("ns")
    return days[np.isin(days.dayofweek, own_weekdays(dates))]


def overdue_days(dates: pd.DatetimeIndex, calendar: str | None, today: date) -> pd.DatetimeIndex:
    """Days after the last bar and before today on which a series should have had one.

    Examples
    --------
    >>> len(overdue_days(pd.bdate_range("2018-01-01", "2018-12-31"), "XNYS", date(2019, 1, 5)))
    3
    """
    if pd.Timestamp(today) <= dates[-1]:
        return dates[:0]
    days = expected_days(dates, calendar, dates[-1].date(), today)
    return days[(days > dates[-1]) & (days < pd.Timestamp(today))]


def full_years(dates: pd.DatetimeIndex, calendar: str | None) -> list[int]:
    """Calendar years of which a series reaches from the first to the last day that it should have.

    The exchange's calendar tells these days.  Where none is known, or its word does not count yet, the series' own
    weekdays tell them, and its own whole years tell how many days of them are holidays.

    Examples
    --------
    >>> full_years(pd.date_range("2017-06-01", "2019-12-31"), None)
    [2018, 2019]
    """
    return [year for year, (first, last) in _ends(dates, calendar).items() if dates[0] <= first and last <= dates[-1]]


def _ends(dates: pd.DatetimeIndex, calendar: str | None) -> dict[int, tuple[pd.Timestamp, pd.Timestamp]]:
    """First and last day that each year of a series should have."""
    years = range(dates[0].year, dates[-1].year + 1)
    found = {} if calendar is None else _calendar_ends(calendar, years)
    return {**_own_ends(dates, years), **found} if len(found) < len(years) else found


def _calendar_ends(calendar: str, years: range) -> dict[int, tuple[pd.Timestamp, pd.Timestamp]]:
    """First and last session of each year that lies within the days for which an exchange's calendar is trusted."""
    earliest, latest = trusted_days(calendar)
    whole = [year for year in years if earliest <= pd.Timestamp(year, 1, 1) and pd.Timestamp(year, 12, 31) <= latest]
    if not whole:
        return {}
    days = sessions(calendar, date(whole[0], 1, 1), date(whole[-1], 12, 31))
    return {int(year): (own[0], own[-1]) for year, own in days.groupby(days.year).items()}


def _own_ends(dates: pd.DatetimeIndex, years: range) -> dict[int, tuple[pd.Timestamp, pd.Timestamp]]:
    weekdays = own_weekdays(dates)
    rhythm = {year: expected_days(dates, None, date(year, 1, 1), date(year, 12, 31)) for year in years}
    inside = [dates[dates.year == year] for year in years[1:-1]]
    late = [own[0] - rhythm[own[0].year][0] for own in inside if len(own)]
    early = [rhythm[own[0].year][-1] - own[-1] for own in inside if len(own)]
    usual = pd.Timedelta(days=0 if len(weekdays) == WHOLE_WEEK else USUAL_SLACK)
    longest = pd.Timedelta(days=LONGEST_SLACK)
    start, end = (min(max(slack, default=usual), longest) for slack in (late, early))
    return {year: (days[0] + start, days[-1] - end) for year, days in rhythm.items() if len(days)}
