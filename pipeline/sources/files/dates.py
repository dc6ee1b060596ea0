"""Dates of a file: one format for the whole column, found from all of it, or none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import product

import numpy as np
import pandas as pd

from pipeline.exceptions import DataError
from pipeline.offsets import exchange_dates
from pipeline.sources.files.faults import SHOWN_PLACES, Faults, places, quoted

EARLIEST_YEAR = 1800
MONTHS = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
WEEKDAYS = re.compile(r"\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\b[.,]?\s*", re.IGNORECASE)
TIME = (
    r"(?:[T\s]\s*(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:[AaPp][Mm])?)\s*"
    r"(?P<offset>Z|UTC|GMT|[+-]\d{2}(?::?\d{2}(?::\d{2})?)?)?)?"
)
EPOCH = re.compile(r"-?\d{1,19}")
WHOLE = re.compile(r"^(-?\d+)\.0+$")
"""A whole number that went through a column of floats."""
EPOCH_UNITS = {"s": 1e8, "ms": 1e11, "us": 1e14, "ns": 1e17}
"""Smallest number that is a time of that unit since 1970: March 1973; fifty times as much is of the next unit."""
UNIT_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """One way to write a day.

    Parameters
    ----------
    label : str
        As people write it: ``dd/mm/yyyy``.
    order : str
        Which part comes first: ``dmy``; empty where letters tell the parts apart.
    pattern : str
        Regular expression of a whole cell.
    format : str
        For :func:`pandas.to_datetime`.
    """

    label: str
    order: str
    pattern: str
    format: str


def _numeric(order: str, separator: str, year: str) -> Form:
    parts = {"d": ("dd", r"\d{1,2}", "%d"), "m": ("mm", r"\d{1,2}", "%m"), "y": (year, rf"\d{{{len(year)}}}", "%Y")}
    if len(year) == 2:
        parts["y"] = (year, r"\d{2}", "%y")
    if not separator:
        parts |= {"d": ("dd", r"\d{2}", "%d"), "m": ("mm", r"\d{2}", "%m")}
    label, pattern, form = ([parts[letter][n] for letter in order] for n in range(3))
    return Form(
        label=separator.join(label),
        order=order,
        pattern=re.escape(separator).join(pattern),
        format=separator.join(form),
    )


ORDERS = ("ymd", "dmy", "mdy")
NUMERIC = tuple(
    _numeric(order, separator, year)
    for separator, year, order in product(("-", "/", ".", " ", ""), ("yyyy", "yy"), ORDERS)
    if separator or year == "yyyy"
)
NAMED = tuple(
    Form(label=label, order="", pattern=pattern, format=form)
    for label, pattern, form in (
        ("dd Mon yyyy", rf"\d{{1,2}} {MONTHS} \d{{4}}", "%d %b %Y"),
        ("Mon dd yyyy", rf"{MONTHS} \d{{1,2}} \d{{4}}", "%b %d %Y"),
        ("yyyy Mon dd", rf"\d{{4}} {MONTHS} \d{{1,2}}", "%Y %b %d"),
        ("dd Mon yy", rf"\d{{1,2}} {MONTHS} \d{{2}}", "%d %b %y"),
    )
)


def read_dates(
    column: pd.Series, lines: Sequence[int], *, order: str, zone: tzinfo | None, faults: Faults, source: str
) -> tuple[pd.Series, str]:
    """Read a column of dates.

    Parameters
    ----------
    column : Series
        Its cells: text, or values where the file has types.
    lines : sequence of int
        Number of each row in the file, for the messages.
    order : str
        ``ymd``, ``dmy`` or ``mdy`` where the user says it, else empty.
    zone : tzinfo or None
        Of the exchange.
    faults : Faults
        Where to say what can't be read.
    source : str
        As it is typed, for the remedy.

    Returns
    -------
    Series, str
        Session dates, NaT where there is none; and what was taken.
    """
    if column.dtype.kind == "M":
        local, offsets, said = _typed(column)
    else:
        cells = column.map(lambda cell: "" if pd.isna(cell) else str(cell).strip())
        local, offsets, said = _text(cells, lines, order, faults, source)
    held = local.notna()
    if held.any() and offsets is not None:
        try:
            dates = exchange_dates(pd.DatetimeIndex(local[held]), pd.TimedeltaIndex(offsets[held]), zone)
        except DataError as error:
            faults.add(f"{error}; add &zone=Europe/Madrid, or whichever it is, to {source}")
            return pd.Series(pd.NaT, index=local.index, dtype="datetime64[ns]"), said
        named = "dates as written" if zone is None else f"taken to {zone}"
        moved = "" if dates.equals(pd.DatetimeIndex(local[held]).normalize()) else f", {named}"
        local = local.copy()
        local[held] = dates
        said += moved
    return local.dt.normalize().astype("datetime64[ns]"), said


def _typed(column: pd.Series) -> tuple[pd.Series, pd.Series | None, str]:
    """Split times that the file already holds as such."""
    if column.dt.tz is None:
        return column.astype("datetime64[ns]"), None, "dates of the file's own type"
    local = column.dt.tz_localize(None).astype("datetime64[ns]")
    return local, local - column.dt.tz_convert("UTC").dt.tz_localize(None), "times of the file's own type"


def _text(
    cells: pd.Series, lines: Sequence[int], order: str, faults: Faults, source: str
) -> tuple[pd.Series, pd.Series | None, str]:
    """Local times, their offsets from UTC or None, and what was taken."""
    nothing = pd.Series(pd.NaT, index=cells.index, dtype="datetime64[ns]")
    empty = cells == ""
    if empty.any():
        faults.add(
            f"line {places([str(lines[at]) for at in np.flatnonzero(empty).tolist()])} has no date; remove the row"
        )
    filled = cells[~empty].str.replace(WHOLE, r"\1", regex=True)
    if not len(filled):
        return nothing, None, ""
    if filled.str.fullmatch(EPOCH).all():
        unit = _epoch_unit(filled)
        if unit:
            times = pd.Series(pd.to_datetime(filled.astype("int64"), unit=unit)).astype("datetime64[ns]")
            zero = pd.Series(pd.Timedelta(0), index=cells.index)
            return times.reindex(cells.index), zero, f"dates as {UNIT_WORDS[unit]} since 1970"
    days, clock, offsets = _split_times(filled)
    form = _choose_form(days, filled, lines, order, faults, source)
    if form is None:
        return nothing, None, ""
    read = _parse(days, form)
    unread = read.isna()
    if unread.any():
        _unread(filled[unread], form, lines, faults)
    local = (read + clock).reindex(cells.index)
    if offsets is None:
        return local, None, f"dates {form.label}"
    without = offsets.isna()
    if without.any():
        shown = [f"{lines[at]} {quoted(cells[at])}" for at in filled.index[without]]
        faults.add(f"every time must have an offset from UTC or none, got none in line {places(shown)}")
        return nothing, None, ""
    return local, offsets.reindex(cells.index), f"dates {form.label} with an offset from UTC"


def _epoch_unit(cells: pd.Series) -> str:
    largest = float(cells.astype("float64").abs().max())
    latest = datetime.now(UTC).timestamp() + 2 * 86400
    scale = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
    found = [unit for unit, least in EPOCH_UNITS.items() if least <= largest <= latest * scale[unit]]
    return found[0] if found else ""


def _split_times(cells: pd.Series) -> tuple[pd.Series, pd.Series, pd.Series | None]:
    """Day, time of day and offset of each cell; offsets are None where no cell has one."""
    none = pd.Series(pd.Timedelta(0), index=cells.index)
    if not cells.str.contains(":", regex=False).any():
        return cells, none, None
    parts = cells.str.extract(rf"^(?P<day>.*?){TIME}$")
    times = parts["time"].dropna()
    clock = pd.to_datetime("2000-01-01 " + times, format="mixed", errors="coerce") - pd.Timestamp(2000, 1, 1)
    written = parts["offset"].dropna()
    if not len(written):
        return parts["day"].str.strip(), clock.reindex(cells.index).fillna(pd.Timedelta(0)), None
    plain = written.replace({"Z": "+00:00", "UTC": "+00:00", "GMT": "+00:00"}).str.replace(":", "", regex=False)
    sign = np.where(plain.str.startswith("-"), -1, 1)
    minutes = plain.str[1:3].astype(int) * 60 + plain.str[3:5].replace("", "0").astype(int)
    offsets = pd.to_timedelta(minutes * sign, unit="min").reindex(cells.index)
    return parts["day"].str.strip(), clock.reindex(cells.index).fillna(pd.Timedelta(0)), offsets


def _parse(days: pd.Series, form: Form) -> pd.Series:
    """Read days in one format; NaT where a cell is of another, or the year is none that bars have."""
    plain = _plain(days) if not form.order else days
    fits = plain.str.fullmatch(form.pattern, case=False)
    read = pd.Series(pd.NaT, index=days.index, dtype="datetime64[s]")
    if fits.any():
        months = plain[fits] if form.order else plain[fits].str.replace(r"([A-Za-z]{3})[a-z]*", r"\1", regex=True)
        read[fits] = pd.to_datetime(months, format=form.format, errors="coerce").astype("datetime64[s]")
    years = read.dt.year
    usual = (years >= EARLIEST_YEAR) & (years <= datetime.now(UTC).year + 1)
    return read.where(usual).astype("datetime64[ns]")


def _plain(days: pd.Series) -> pd.Series:
    """Days with names of months: without weekdays, parts apart by one blank."""
    return days.str.replace(WEEKDAYS, "", regex=True).str.replace(r"[-/.,\s]+", " ", regex=True).str.strip()


def _choose_form(
    days: pd.Series, cells: pd.Series, lines: Sequence[int], order: str, faults: Faults, source: str
) -> Form | None:
    """Find the one form in which the whole column can be read, or say why there is none."""
    forms = [form for form in (*NUMERIC, *NAMED) if not order or form.order in (order, "")]
    read = {form: _parse(days, form) for form in forms}
    whole = [form for form in forms if read[form].notna().all()]
    different = [form for n, form in enumerate(whole) if not any(read[form].equals(read[each]) for each in whole[:n])]
    if len(different) > 1:
        shown = " or ".join(
            f"{form.label} ({read[form].min():%Y-%m-%d} to {read[form].max():%Y-%m-%d})" for form in different
        )
        choices = " or ".join(f"&dates={form.order}" for form in different)
        faults.add(
            f"its dates must have one reading, got {quoted(cells.iloc[0])} … {quoted(cells.iloc[-1])}, which can be "
            f"{shown}; add {choices} to {source}"
        )
        return None
    if whole:
        return whole[0]
    counts = {form: int(each.notna().sum()) for form, each in read.items()}
    best = max(forms, key=lambda form: counts[form])
    if not counts[best]:
        said = f" in the order {order}" if order else ""
        faults.add(
            f"its dates must be days{said} such as 2024-12-31, 31/12/2024, 20241231 or seconds since 1970, got "
            f"{places([quoted(cell) for cell in cells.iloc[:SHOWN_PLACES]])}; name the right column date, or correct it"
        )
        return None
    others = [form for form in forms if form is not best and (read[form].notna() & read[best].isna()).any()]
    if others:
        other = max(others, key=lambda form: int((read[form].notna() & read[best].isna()).sum()))
        only = (read[best].notna() & read[other].isna()).idxmax(), (read[other].notna() & read[best].isna()).idxmax()
        faults.add(
            f"its dates must have one format, got {quoted(cells[only[0]])} (line {lines[only[0]]}), which is only "
            f"{best.label}, and {quoted(cells[only[1]])} (line {lines[only[1]]}), which is only {other.label}; "
            "write all of them in one"
        )
        return None
    return best


def _unread(cells: pd.Series, form: Form, lines: Sequence[int], faults: Faults) -> None:
    shown = [f"{lines[at]} {quoted(cell)}" for at, cell in cells.items()]
    faults.add(f"a date must be {form.label} as the others are, got line {places(shown)}")
