"""Layout of a delimited text: separator, lines before the header, rows of the header."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.exceptions import DataError
from pipeline.sources.files.columns import corner, find_role, tickers_corner
from pipeline.sources.files.faults import Faults, places

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
HEADER_WITHIN = 30
"""Lines within which the header has to start."""
FEWEST_NAMES = 2
MOST_HEADER_ROWS = 3
SHOWN_COLUMNS = 12
NUMBER = re.compile(r"[^\w.,+-]?[+-]?\d[\d.,]*[%KMB]?")

Row = tuple[int, list[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Cells of a file, not yet read.

    Parameters
    ----------
    labels : tuple of tuple of str
        What the header says above each column, row by row.
    cells : DataFrame
        A column for each of them, numbered from 0; text, or values where the file has types.
    lines : tuple of int
        Number of each row in the file.
    said : tuple of str
        What was found of the file's form.
    """

    labels: tuple[tuple[str, ...], ...]
    cells: pd.DataFrame
    lines: tuple[int, ...]
    said: tuple[str, ...]


def read_text_table(text: str, faults: Faults) -> Table:
    """Find the layout of a delimited text, and cut it into cells.

    Raises
    ------
    DataError
        If there is no header with the columns of bars; the message names the columns found.
    """
    found = {separator: _rows(text, separator) for separator in SEPARATORS}
    separator = max(SEPARATORS, key=lambda each: _most_names(found[each]))
    rows = found[separator]
    fields = _fields_row(rows)
    if fields is None:
        raise DataError(_no_header(found))
    first = fields - 1 if fields and _names_tickers(rows[fields - 1][1], len(rows[fields][1])) else fields
    last = fields + 1
    while last < len(rows) and last - first < MOST_HEADER_ROWS and _continues(rows[last][1]):
        last += 1
    header = [cells for _, cells in rows[first:last]]
    width = max(_width(cells) for cells in header)
    kept = _whole_rows(rows[last:], width, faults)
    said = [f"header of {len(header)} row{'s' if len(header) > 1 else ''}", f"separator {SEPARATORS[separator]}"]
    if first:
        said.append(f"{first} line{'s' if first > 1 else ''} before the header left out")
    return Table(
        labels=tuple(tuple(row[at].strip() if at < len(row) else "" for row in header) for at in range(width)),
        cells=pd.DataFrame([cells for _, cells in kept], columns=range(width), dtype=object),
        lines=tuple(line for line, _ in kept),
        said=tuple(said),
    )


def _rows(text: str, separator: str) -> list[Row]:
    """Lines that hold something, numbered from 1, cut at a separator."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error:
        return []


def _whole_rows(rows: Sequence[Row], width: int, faults: Faults) -> list[Row]:
    """Rows that are as wide as the header; empty fields behind its last column are none."""
    kept, others = [], defaultdict(list)
    for line, cells in rows:
        if len(cells) >= width >= _width(cells):
            kept.append((line, cells[:width]))
        else:
            others[max(_width(cells), min(len(cells), width))].append(str(line))
    for fields, lines in others.items():
        faults.add(f"the header has {width} fields, got {fields} in line {places(lines)}")
    return kept


def _width(cells: Sequence[str]) -> int:
    """Fields up to the last that holds something."""
    return max((place + 1 for place, cell in enumerate(cells) if cell.strip()), default=0)


def _names(cells: Sequence[str]) -> int:
    """How many of the columns of bars a row names."""
    return len({role for cell in cells if (role := find_role(cell))})


def _most_names(rows: Sequence[Row]) -> int:
    return max((_names(cells) for _, cells in rows[:HEADER_WITHIN]), default=0)


def _fields_row(rows: Sequence[Row]) -> int | None:
    """Row that names the most columns of bars, the first of these."""
    most = _most_names(rows)
    if most < FEWEST_NAMES:
        return None
    return next(place for place, (_, cells) in enumerate(rows) if _names(cells) == most)


def _names_tickers(cells: Sequence[str], width: int) -> bool:
    """Whether the row above the fields' names holds a ticker for each."""
    return len(cells) == width > 1 and corner(cells[0]) and all(cell.strip() for cell in cells[1:])


def _continues(cells: Sequence[str]) -> bool:
    """Whether a row below the fields' names belongs to the header: the tickers, or the name of the index."""
    if tickers_corner(cells[0]):
        return True
    return corner(cells[0]) and not any(NUMBER.fullmatch(cell.strip()) for cell in cells)


def _no_header(found: dict[str, list[Row]]) -> str:
    rows = max(found.values(), key=lambda rows: len(rows[0][1]) if rows else 0)
    if not rows:
        return "must hold a header and at least one session, got nothing"
    shown = ", ".join(cell.strip() or "(unnamed)" for cell in rows[0][1][:SHOWN_COLUMNS])
    return f"must have a header that names date, open, high, low, close, volume, got the columns {shown}; name them so"
