"""Joins of other tickers to the predicted one: every day is accounted for, or the join is refused."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipeline.exceptions import DataError

SHOWN_DAYS = 5


def align(
    ticker: str, bars: pd.DataFrame, auxiliary: Mapping[str, pd.DataFrame]
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Bring all tickers to the predicted ticker's days.

    The days start where the youngest of the histories starts.  From there on
    every day of the predicted ticker must be there in all of the others: a
    value is never filled in, and a day never dropped.

    Parameters
    ----------
    ticker : str
        The one that is predicted.
    bars : DataFrame
        Its bars.
    auxiliary : mapping
        Ticker to bars of the others.

    Returns
    -------
    DataFrame, dict
        Bars of the predicted ticker and of the others, on identical days.

    Raises
    ------
    DataError
        Naming the ticker that is stale, shares no day, or has gaps.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2024-07-02", "2024-07-03", "2024-07-05"])
    >>> bars = pd.DataFrame({"close": [1.0, 2.0, 3.0]}, index=days)
    >>> align("SPY", bars, {"^VIX": bars.iloc[1:]})[0]["close"].tolist()
    [2.0, 3.0]
    >>> align("SPY", bars, {"^VIX": bars.iloc[:2]})
    Traceback (most recent call last):
    pipeline.exceptions.DataError: ^VIX must reach SPY's last session 2024-07-05, got 2024-07-03; pull ^VIX again
    """
    start = max([bars.index[0], *(other.index[0] for other in auxiliary.values())])
    kept = bars.loc[start:]
    aligned = {}
    for name, other in auxiliary.items():
        if other.index[-1] < bars.index[-1]:
            raise DataError(
                f"{name} must reach {ticker}'s last session {bars.index[-1].date()}, got {other.index[-1].date()}; "
                f"pull {name} again"
            )
        missing = kept.index.difference(other.index)
        if len(missing):
            shown = ", ".join(str(day.date()) for day in missing[:SHOWN_DAYS])
            raise DataError(
                f"{name} must have every session of {ticker} from {start.date()} on, got {len(missing)} missing: "
                f"{shown}{' …' if len(missing) > SHOWN_DAYS else ''}; pull {name} again"
            )
        aligned[name] = other.loc[kept.index]
        assert len(aligned[name]) == len(kept), "a join must keep every day once"
    if not len(kept):
        raise DataError(f"{ticker} must share days with {', '.join(auxiliary)}, got none; take a longer series")
    return kept, aligned
