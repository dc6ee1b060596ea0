"""Daily bars in canonical form: what every source returns and every feature reads.

A frame of bars has an ascending, unique, tz-naive index ``date`` at midnight,
and the float64 columns of :data:`COLUMNS`.  Prices are in quote currency,
volume in units traded.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from pipeline.exceptions import DataError

PRICES = ("open", "high", "low", "close")
COLUMNS = (*PRICES, "adj_close", "volume")
ROUNDING = 1e-9
"""Relative: prices that differ less are one price, which was computed twice."""


def normalise(frame: pd.DataFrame) -> pd.DataFrame:
    """Bring a provider's frame to canonical form, once, at ingest.

    Parameters
    ----------
    frame : DataFrame
        Provider's columns in any case (``Adj Close`` may be absent: then it
        equals the close), indexed by session date or with a ``Date`` column.

    Returns
    -------
    DataFrame
        A new frame in canonical form; the argument is not changed.

    Raises
    ------
    DataError
        If a column is missing, or a date can't be read, or is there twice.

    Examples
    --------
    >>> raw = pd.DataFrame(
    ...     {"Date": ["2020-01-03 00:00-05:00", "2020-01-02 00:00-05:00"], "Open": [2, 1],
    ...      "High": [2, 1], "Low": [2, 1], "Close": [2, 1], "Volume": [0, 5]})
    >>> normalise(raw)[["close", "adj_close"]].iloc[0].tolist()
    [1.0, 1.0]
    """
    bars = frame.rename(columns=lambda name: str(name).strip().lower().replace(" ", "_"))
    if "date" in bars.columns:
        bars = bars.set_index("date")
    missing = [name for name in (*PRICES, "volume") if name not in bars.columns]
    if missing:
        raise DataError(f"bars must have the columns open, high, low, close, volume; missing {missing}")
    bars = bars.assign(adj_close=bars["adj_close"] if "adj_close" in bars.columns else bars["close"])
    bars.index = session_dates(bars.index)
    bars = bars[list(COLUMNS)].astype("float64").sort_index()
    duplicated = bars.index[bars.index.duplicated()]
    if len(duplicated):
        raise DataError(f"a date must be there once, got {duplicated[0].date()} more than once; remove the extra rows")
    return bars


def session_dates(index: pd.Index) -> pd.DatetimeIndex:
    """Exchange session dates: tz-naive, at midnight, local to the exchange.

    Raises
    ------
    DataError
        If an entry is not a date.
    """
    try:
        dates = pd.DatetimeIndex([pd.Timestamp(value).tz_localize(None) for value in index])
    except (TypeError, ValueError) as error:
        raise DataError(f"bars must be indexed by date, got an entry that is none: {error}") from error
    if dates.hasnans:
        raise DataError("bars must be indexed by date, got an empty date; remove the row")
    return dates.normalize().as_unit("ns").rename("date")


def adjusted(bars: pd.DataFrame) -> pd.DataFrame:
    """Bars on the dividend- and split-adjusted price basis.

    Open, high and low are multiplied by ``adj_close / close``; the close
    becomes the adjusted close.

    Examples
    --------
    >>> day = pd.DataFrame({"open": [10.0], "high": [12.0], "low": [8.0], "close": [10.0],
    ...                     "adj_close": [5.0], "volume": [3.0]})
    >>> adjusted(day).iloc[0].tolist()
    [5.0, 6.0, 4.0, 5.0, 5.0, 3.0]
    """
    factor = bars["adj_close"] / bars["close"]
    scaled = {name: bars[name] * factor for name in ("open", "high", "low")}
    return bars.assign(**scaled, close=bars["adj_close"])


def content_hash(frame: pd.DataFrame) -> str:
    """SHA-256 of a date-indexed float frame's canonical content, as 64 hex digits.

    Dates, column names and every value count; how the frame is stored does not.

    Examples
    --------
    >>> a = pd.DataFrame({"x": [1.0, 2.0]}, index=pd.DatetimeIndex(["2020-01-02", "2020-01-03"]))
    >>> content_hash(a) == content_hash(a.copy()), content_hash(a) == content_hash(a + 1e-12)
    (True, False)
    """
    digest = hashlib.sha256()
    digest.update("\x1f".join(map(str, frame.columns)).encode())
    digest.update(frame.index.to_numpy().astype("datetime64[D]").astype("<i8").tobytes())
    for column in frame.columns:
        values = frame[column].to_numpy(dtype="<f8") + 0.0
        digest.update(np.where(np.isnan(values), np.nan, values).tobytes())
    return digest.hexdigest()
