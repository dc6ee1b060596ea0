"""Reading of one ticker's file: its bars in canonical form, and what was taken from the file in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.bars import COLUMNS, PRICES, ROUNDING
from pipeline.calendars import calendar_of, sessions, trusted_days, zone_of
from pipeline.exceptions import DataError
from pipeline.sources.files.columnar import SUFFIXES, read_columnar_table
from pipeline.sources.files.columns import TICKER, Columns, choose_ticker, find_columns, find_role
from pipeline.sources.files.dates import read_dates
from pipeline.sources.files.encoding import decode
from pipeline.sources.files.faults import Faults, places
from pipeline.sources.files.layout import Table, read_text_table
from pipeline.sources.files.numbers import read_numbers
from pipeline.sources.files.settings import FileSettings

SATURDAY = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One ticker's bars from a file.

    Parameters
    ----------
    bars : DataFrame
        Canonical, see :mod:`pipeline.bars`; a value that the file leaves out is NaN.
    said : str
        What was taken: ``dates dd/mm/yyyy, decimal comma, header of 3 rows``.
    warnings : tuple of str
        What was left out.
    """

    bars: pd.DataFrame
    said: str
    warnings: tuple[str, ...] = ()


def read_file(path: Path, ticker: str, settings: FileSettings) -> Reading:
    """Read one ticker's bars from a file of any form.

    Parameters
    ----------
    path : Path
        Delimited text, Parquet or Feather.
    ticker : str
        Whose bars; it decides the exchange, and which of a file's tickers is taken.
    settings : FileSettings
        What the user says of the directory.

    Raises
    ------
    DataError
        Naming every fault that was found: places that can't be read, and what can be read in two ways with the
        setting that decides it.
    """
    faults = Faults()
    try:
        table = _open(path, faults)
        columns, table = _of_ticker(table, ticker, settings)
    except DataError as error:
        faults.add(str(error))
        raise DataError(f"{ticker}: {path} has {faults.text()}") from error
    reading = _read(table, columns, ticker, settings, faults) if len(table.cells) else None
    if faults.found:
        raise DataError(f"{ticker}: {path} has {faults.text()}")
    if reading is None or not len(reading.bars):
        raise DataError(f"{ticker}: {path} must hold at least one session, got none")
    return reading


def held_tickers(path: Path) -> tuple[str, ...]:
    """Tickers that a file names, where it holds several; none where it can't be read or names none."""
    try:
        table = _open(path, Faults())
        by_ticker, at = find_columns(table.labels)
    except (DataError, OSError):
        return ()
    held = _in_rows(table, at) if at is not None else [name for name in by_ticker if name]
    return tuple(held) if len(held) > 1 else ()


def _open(path: Path, faults: Faults) -> Table:
    if path.suffix.lower() in SUFFIXES:
        return read_columnar_table(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"must be a file that can be read: {error.strerror}") from error
    text, encoding = decode(content)
    table = read_text_table(text, faults)
    said = table.said if encoding == "utf-8" else (*table.said, f"encoding {encoding}")
    return Table(labels=table.labels, cells=table.cells, lines=table.lines, said=said)


def _in_rows(table: Table, at: int) -> list[str]:
    return list(dict.fromkeys(table.cells[at].astype(str).str.strip()))


def _of_ticker(table: Table, ticker: str, settings: FileSettings) -> tuple[Columns, Table]:
    """Columns and rows of one ticker."""
    by_ticker, at = find_columns(table.labels)
    held = [name for name in by_ticker if name]
    if held:
        chosen = choose_ticker(held, ticker, settings.ticker)
        said = (*table.said, f"columns of {chosen}, one of {len(held)} tickers") if len(held) > 1 else table.said
        return by_ticker[chosen], Table(labels=table.labels, cells=table.cells, lines=table.lines, said=said)
    if at is None:
        return by_ticker[""], table
    named = _in_rows(table, at)
    words = {label for label in table.labels[at] if label}
    if len(named) < 2 and not any(find_role(word) == TICKER and word.casefold() != "name" for word in words):
        return by_ticker[""], table
    chosen = choose_ticker(named, ticker, settings.ticker)
    rows = np.flatnonzero(table.cells[at].astype(str).str.strip() == chosen)
    said = (*table.said, f"rows of {chosen}, one of {len(named)} tickers") if len(named) > 1 else table.said
    return by_ticker[""], Table(
        labels=table.labels,
        cells=table.cells.iloc[rows].reset_index(drop=True),
        lines=tuple(table.lines[row] for row in rows),
        said=said,
    )


def _read(table: Table, columns: Columns, ticker: str, settings: FileSettings, faults: Faults) -> Reading:
    cells = {role: table.cells[at] for role, at in columns.places.items()}
    zone = ZoneInfo(settings.zone) if settings.zone else zone_of(ticker)
    dates, said_dates = read_dates(
        cells.pop("date"), table.lines, order=settings.dates, zone=zone, faults=faults, source=settings.text
    )
    values, said_numbers = read_numbers(
        cells, table.lines, decimal=settings.decimal, faults=faults, source=settings.text
    )
    bars = pd.DataFrame({"adj_close": values["close"], **values})[list(COLUMNS)]
    bars.index = pd.DatetimeIndex(dates, name="date").as_unit("ns")
    lines = pd.Series(table.lines, index=bars.index)
    bars, lines = bars[bars.index.notna()], lines[lines.index.notna()]
    backwards = len(bars) > 1 and bars.index[0] > bars.index[-1]
    order = np.argsort(bars.index, kind="stable")
    bars, lines = bars.iloc[order], lines.iloc[order]
    empty = _empty_days(bars, ticker, several=bool(columns.ticker))
    _refuse_duplicates(lines[~empty], faults)
    bars = _on_one_basis(bars, faults) if settings.adjusted else bars
    said = (said_dates, *said_numbers, *table.said, *(("newest row first",) if backwards else ()))
    return Reading(
        bars=bars[~empty].set_axis(pd.DatetimeIndex(bars.index[~empty]).normalize()),
        said=", ".join(filter(None, said)),
        warnings=_dropped(bars.index[empty], several=bool(columns.ticker)),
    )


def _empty_days(bars: pd.DataFrame, ticker: str, *, several: bool) -> npt.NDArray[np.bool_]:
    """Rows that hold nothing and are of no session: holidays that were written, or days of a file's other tickers."""
    nothing = (bars[[*PRICES, "adj_close"]].isna().all(axis=1) & bars["volume"].fillna(0.0).eq(0.0)).to_numpy()
    if not nothing.any() or nothing.all():
        return nothing & nothing.all()
    calendar, dates = calendar_of(ticker), pd.DatetimeIndex(bars.index)
    session = np.zeros(len(bars), dtype=bool)
    if calendar is not None:
        earliest, latest = trusted_days(calendar)
        known = sessions(calendar, dates[0].date(), dates[-1].date())
        session = np.isin(dates, known) | (((dates < earliest) | (dates > latest)) & (dates.dayofweek < SATURDAY))
    if several:
        filled = np.flatnonzero(~nothing)
        outside = np.ones(len(bars), dtype=bool)
        outside[filled[0] : filled[-1] + 1] = False
        session &= ~outside
    return nothing & ~session


def _dropped(days: pd.Index, *, several: bool) -> tuple[str, ...]:
    if not len(days) or several:
        return ()
    shown = places([str(day.date()) for day in days])
    rows = f"{len(days)} empty row{'s' if len(days) > 1 else ''}"
    return (f"empty_rows: {rows} on days that are no session left out, {shown}",)


def _refuse_duplicates(lines: pd.Series, faults: Faults) -> None:
    twice = lines[lines.index.duplicated(keep=False)]
    shown = [f"{day.date()} (lines {', '.join(map(str, each))})" for day, each in twice.groupby(level=0)]
    if shown:
        faults.add(f"a date must be there once, got {places(shown)}; remove the extra rows")


def _on_one_basis(bars: pd.DataFrame, faults: Faults) -> pd.DataFrame:
    """Refuse an adjusted close beside prices that are said to be adjusted; equal but for rounding, it is the close."""
    if ((bars["adj_close"] - bars["close"]).abs() > ROUNDING * bars["close"].abs()).any():
        faults.add("it was said to be adjusted, but its Adj Close differs from its Close; use adjusted=no")
    return bars.assign(adj_close=bars["close"])
