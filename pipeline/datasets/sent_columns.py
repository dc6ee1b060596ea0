"""What callers call the columns that they send: Yahoo's own names, other cases, and a column that names the ticker."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from pipeline.exceptions import DataError

OTHER_NAMES = {
    "adjclose": "adj_close",
    "adjusted_close": "adj_close",
    "datetime": "date",
    "symbol": "ticker",
}


def plain_name(name: object) -> str:
    """Write a column's name as ours are written.

    Examples
    --------
    >>> [plain_name(name) for name in ("Adj Close", "CLOSE", "Datetime", "^VIX close", "Symbol")]
    ['adj_close', 'close', 'date', 'vix_close', 'ticker']
    """
    plain = re.sub(r"[^a-z0-9]+", "_", str(name).lower()).strip("_")
    return OTHER_NAMES.get(plain, plain)


def plain_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Name the columns of a frame as ours are named; an index of dates becomes the column ``date``.

    Raises
    ------
    DataError
        If the columns have several levels, as those of several tickers have.
    """
    if frame.columns.nlevels > 1:
        raise DataError(
            "bars must have one row of column names, got "
            f"{frame.columns.nlevels} ({', '.join(map(str, frame.columns[0]))}, …); "
            "take the columns of one ticker, as frame.xs(TICKER, axis=1, level=1) does"
        )
    named = frame.set_axis([plain_name(name) for name in frame.columns], axis=1)
    if "date" not in named.columns and isinstance(frame.index, pd.DatetimeIndex):
        named = named.rename_axis("date").reset_index()
    return named


def require_one_ticker(frame: pd.DataFrame, ticker: str) -> None:
    """Refuse rows of another ticker, where a column says whose they are.

    Raises
    ------
    DataError
        Naming the tickers.
    """
    if "ticker" not in frame.columns:
        return
    said = sorted({str(value).strip() for value in _column(frame, "ticker")})
    others = [each for each in said if each.upper() != ticker.upper()]
    if others:
        shown = ", ".join(said[:8])
        raise DataError(f"bars must be of {ticker} alone, got {shown} in the column of tickers; send the model's own")


def _column(frame: pd.DataFrame, name: str) -> Iterable[object]:
    """Values of a column, also where it is there more than once."""
    return frame.loc[:, frame.columns == name].to_numpy().ravel()
