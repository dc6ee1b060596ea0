"""Raw bars: the frame that a caller of a packaged model sends, its rules, and the features made of it.

A row is a session: ``date``, ``open``, ``high``, ``low``, ``close``, ``volume``, where known ``adj_close``, and
a column for each input of another ticker that the tier reads, as ``vix_close`` for ``^VIX.close``.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, tzinfo
from numbers import Real
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.bars import COLUMNS, PRICES, adjusted
from pipeline.calendars import calendar_of, zone_of
from pipeline.checks import Severity
from pipeline.checks.check import NotApplicable, Series
from pipeline.checks.sessions import SESSIONS
from pipeline.checks.structure import STRUCTURE
from pipeline.datasets.dataset import DatasetVersion
from pipeline.datasets.join import align
from pipeline.datasets.sent_columns import plain_columns, require_one_ticker
from pipeline.exceptions import DataError
from pipeline.offsets import exchange_dates
from pipeline.share_splits import split_consistent
from pipeline.snapshots.snapshot import list_snapshots, load_snapshot
from pipeline.tiers import compute_tier, find_tier
from pipeline.tiers.feature import split_input

DATE, ADJUSTED_CLOSE = "date", "adj_close"
REQUIRED = (DATE, *PRICES, "volume")
CHECKS = tuple(
    check
    for check in (*STRUCTURE, *SESSIONS)
    if check.severity == Severity.ERROR and check.name not in ("schema", "non_positive_prices")
)
"""What a dataset version's bars are checked for, but for values, which are checked as they are read."""
SMALLEST_PRICE, LARGEST = 1e-12, 1e15
"""Beyond these a ratio of two prices, or of two volumes, would leave float32."""
FIRST_DAY = date(1900, 1, 1)
SHOWN_VALUE = 40

Array = npt.NDArray[np.float64]


def raw_columns(tier: str) -> dict[str, tuple[str, str]]:
    """Columns beside the predicted ticker's own: name to ticker and column that it stands for.

    Examples
    --------
    >>> raw_columns("r25"), raw_columns("r33")
    ({}, {'vix_close': ('^VIX', 'close')})
    """
    pairs = (split_input(name) for feature in find_tier(tier) for name in feature.inputs)
    return {_column_name(*pair): pair for pair in pairs if pair[0] and pair[1] != DATE}


def _column_name(ticker: str, column: str) -> str:
    return f"{re.sub(r'[^a-z0-9]+', '_', ticker.lower()).strip('_')}_{column}"


def check_raw_bars(
    frame: pd.DataFrame, *, ticker: str, tier: str, accepted: Collection[str] = ()
) -> tuple[pd.DataFrame, dict[str, Array]]:
    """Read the caller's frame, and refuse it where it breaks a rule.

    Parameters
    ----------
    frame : DataFrame
        A row a session, in any column order; names may be Yahoo's own or of another case, the dates may be the index,
        and further columns are ignored but one of tickers, which must all be this one.  Dates are text as
        ``2024-12-31``, with or without a time of day, or datetimes; with an offset from UTC they are taken to
        the exchange's zone.
    ticker : str
        Whose bars; it decides the exchange calendar.
    tier : str
        Whose inputs have to be there.
    accepted : collection of str, optional
        Findings that the user said are right, see :func:`pipeline.accepted.read_accepted`.

    Returns
    -------
    DataFrame, dict
        Canonical bars as traded, and the other tickers' columns by name, each of shape (days,).

    Raises
    ------
    DataError
        Naming the first broken rule, its first place and the remedy.
    """
    frame = plain_columns(frame)
    require_one_ticker(frame, ticker)
    further = tuple(raw_columns(tier))
    missing = [name for name in (*REQUIRED, *further) if name not in frame.columns]
    if missing:
        known = ", ".join((*REQUIRED, *further))
        raise DataError(f"bars must have the columns {known}, missing {', '.join(missing)}; add them")
    twice = [name for name in (*REQUIRED, ADJUSTED_CLOSE, *further) if list(frame.columns).count(name) > 1]
    if twice:
        raise DataError(f"a column must be there once, got {', '.join(twice)} more than once; send one of each")
    if not len(frame):
        raise DataError("bars must hold at least one session, got no rows")
    dates = _read_dates(frame[DATE], zone_of(ticker))
    named = {name: _read_numbers(frame[name], dates) for name in (*PRICES, "volume", *further)}
    has_adjusted = ADJUSTED_CLOSE in frame.columns and not frame[ADJUSTED_CLOSE].isna().all()
    named[ADJUSTED_CLOSE] = _read_numbers(frame[ADJUSTED_CLOSE], dates) if has_adjusted else named["close"].copy()
    for name in (*PRICES, ADJUSTED_CLOSE, *further):
        _require(named[name] > 0, "must be positive", name, named[name], dates)
        _require(named[name] >= SMALLEST_PRICE, f"must be at least {SMALLEST_PRICE:g}", name, named[name], dates)
    _require(named["volume"] >= 0, "must be 0 or more", "volume", named["volume"], dates)
    bars = pd.DataFrame({name: named[name] for name in COLUMNS}, index=dates)
    _check(Series(ticker=ticker, bars=bars, calendar=calendar_of(ticker), accepted=frozenset(accepted)))
    return bars, {name: named[name] for name in further}


def raw_features(bars: pd.DataFrame, further: dict[str, Array], tier: str, ticker: str) -> npt.NDArray[np.float32]:
    """Features of checked bars, shape (days, features): NaN inside the look-back, else as the dataset version's."""
    auxiliary: dict[str, dict[str, Array]] = {}
    for name, (other, column) in raw_columns(tier).items():
        auxiliary.setdefault(other, {})[column] = further[name]
    others = {other: pd.DataFrame(columns, index=bars.index) for other, columns in auxiliary.items()}
    frame = compute_tier(tier, adjusted(split_consistent(bars)), others, ticker=ticker)
    return frame.to_numpy(dtype=np.float32)


def raw_bars(root: Path, dataset: DatasetVersion) -> pd.DataFrame:
    """Rebuild from its snapshots what a caller would send to get a dataset version's features.

    Parameters
    ----------
    root : Path
        Data directory that holds the snapshots.
    dataset : DatasetVersion
        Whose bars.

    Returns
    -------
    DataFrame
        ``date`` and the bars as traded from the first session of all its tickers, and the further
        columns that its tier reads.

    Raises
    ------
    DataError
        If a snapshot is gone or changed.
    """
    known = {snapshot.digest: snapshot for snapshot in list_snapshots(root)}
    for ticker, digest in dataset.snapshots.items():
        if digest not in known:
            raise DataError(f"snapshot {digest[:12]} of {ticker} must be under {root}, it is not; pull it again")
    loaded = {ticker: load_snapshot(root, known[digest]) for ticker, digest in dataset.snapshots.items()}
    others = {ticker: adjusted(bars) for ticker, bars in loaded.items() if ticker != dataset.ticker}
    bars, aligned = align(dataset.ticker, loaded[dataset.ticker], others)
    columns = {name: aligned[ticker][column] for name, (ticker, column) in raw_columns(dataset.tier).items()}
    return bars.assign(**columns).rename_axis(DATE).reset_index()


def _read_dates(column: pd.Series, zone: tzinfo | None) -> pd.DatetimeIndex:
    """Sessions as canonical bars have them: a time with an offset from UTC has the exchange's date."""
    if column.dtype.kind == "M" and not column.hasnans:
        dates = _of_exchange(pd.DatetimeIndex(column).tz_localize(None), _offsets(pd.DatetimeIndex(column)), zone)
    else:
        read = [_read_date(value, row) for row, value in enumerate(column)]
        local = pd.DatetimeIndex(np.array([moment.replace(tzinfo=None) for moment in read], dtype="datetime64[us]"))
        dates = _of_exchange(local, [moment.utcoffset() for moment in read], zone)
    last = datetime.now(UTC).date() + timedelta(days=1)
    outside = np.flatnonzero((dates < pd.Timestamp(FIRST_DAY)) | (dates > pd.Timestamp(last)))
    if len(outside):
        row = int(outside[0])
        raise DataError(
            f"date must be from {FIRST_DAY} to today, got {dates[row].date()} in row {row}; a bar is of a session that "
            "was, correct the row"
        )
    return dates.as_unit("ns").rename(DATE)


def _offsets(times: pd.DatetimeIndex) -> list[timedelta | None]:
    if times.tz is None:
        return [None]
    return list((times.tz_localize(None) - times.tz_convert("UTC").tz_localize(None)).to_pytimedelta())


def _of_exchange(local: pd.DatetimeIndex, offsets: list[timedelta | None], zone: tzinfo | None) -> pd.DatetimeIndex:
    if all(offset is None for offset in offsets):
        return local.normalize()
    if None in offsets:
        row = offsets.index(None)
        raise DataError(
            f"every date must have an offset from UTC or none, got {local[row]} in row {row}; correct the row"
        )
    return exchange_dates(local, pd.TimedeltaIndex(offsets), zone)


def _read_date(value: object, row: int) -> datetime:
    """One entry as a time, with its offset from UTC where it has one."""
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise DataError(
                f"date must be a day such as 2024-07-03, got {_shown(value)} in row {row}; correct the row"
            ) from error
    if pd.api.types.is_scalar(value) and pd.isna(value):
        raise DataError(f"date must be a day such as 2024-07-03, got none in row {row}; correct the row")
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, np.datetime64):
        return pd.Timestamp(value).to_pydatetime()
    raise DataError(
        f"dates must be text as 2024-12-31 or datetimes, got {_shown(value)} in row {row}; send a day, not a number"
    )


def _read_numbers(column: pd.Series, dates: pd.DatetimeIndex) -> Array:
    """Values of shape (days,), every one a finite number."""
    column = _written_numbers(column)
    if column.dtype.kind not in "iuf":
        for day, value in zip(dates, column, strict=True):
            if not _is_number(value):
                raise DataError(f"{column.name} must be a number, got {_shown(value)} at {day.date()}; correct the row")
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except OverflowError as error:
        raise DataError(f"{column.name} must be at most {LARGEST:g}, got more; correct the row") from error
    _require(np.isfinite(values), "must be finite", str(column.name), values, dates)
    _require(values <= LARGEST, f"must be at most {LARGEST:g}", str(column.name), values, dates)
    return values


def _written_numbers(column: pd.Series) -> pd.Series:
    """Numbers of a column that came as text, as CSV and JSON bring them; left alone if one is none."""
    if not all(isinstance(value, str) for value in column):
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    return column if numbers.isna().any() else numbers


def _is_number(value: object) -> bool:
    """Whether it is a number, or nothing at all."""
    if isinstance(value, Real):
        return not isinstance(value, bool | np.bool_)
    return value is None or value is pd.NA or value is pd.NaT


def _require(holds: npt.NDArray[np.bool_], rule: str, name: str, values: Array, dates: pd.DatetimeIndex) -> None:
    if not holds.all():
        row = int(np.argmin(holds))
        raise DataError(f"{name} {rule}, got {values[row]:.10g} at {dates[row].date()}; correct the row")


def _check(series: Series) -> None:
    """Make the checks of form and of sessions that a dataset version goes through, and stop at the first finding."""
    for check in CHECKS:
        with suppress(NotApplicable):
            if found := check.find(series):
                raise DataError(f"{found.fault}; {found.remedy}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_VALUE else f"{text[:SHOWN_VALUE]}…"
