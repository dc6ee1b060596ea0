"""Times with an offset from UTC: the exchange's own date of each."""

from __future__ import annotations

from datetime import tzinfo

import pandas as pd

from pipeline.exceptions import DataError

NEARLY_ALL = 0.95
"""Of the times: clocks that change at midnight leave no midnight on that day."""


def exchange_dates(local: pd.DatetimeIndex, offsets: pd.TimedeltaIndex, zone: tzinfo | None) -> pd.DatetimeIndex:
    """Dates of a column of times at the exchange.

    A time is taken to the exchange's zone before its date is taken.  Midnights there, in UTC or as written, are dates:
    where the times are midnights at the exchange, those dates count; where they are midnights as written only, somebody
    attached an offset to a date, and the written dates count.

    Parameters
    ----------
    local : DatetimeIndex
        Times as written, without their offset.
    offsets : TimedeltaIndex
        What was written behind them.
    zone : tzinfo or None
        Of the exchange; None where it is not known.

    Raises
    ------
    DataError
        If the zone is not known, and times in UTC are neither midnights nor local to anything.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> evenings = pd.DatetimeIndex(["2018-12-16 23:00", "2018-12-17 23:00"])
    >>> [str(day.date()) for day in exchange_dates(evenings, pd.to_timedelta([0, 0]), ZoneInfo("Europe/Madrid"))]
    ['2018-12-17', '2018-12-18']
    """
    written = local.normalize()
    midnights_as_written = bool((local == written).mean() >= NEARLY_ALL)
    if zone is None:
        if midnights_as_written or (offsets != pd.Timedelta(0)).any():
            return written
        raise DataError(
            f"times in UTC must be taken to the exchange's zone, which is not known for this ticker, got {local[0]}"
        )
    there = (local - offsets).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    dates = there.normalize()
    if midnights_as_written and not (there == dates).mean() >= NEARLY_ALL:
        return written
    return dates
