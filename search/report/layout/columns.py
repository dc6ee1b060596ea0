"""A figure with its interval as columns of a table's data, and the cells that show them, by heading."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from search.evidence import Difference, Interval
from search.report.layout.blocks import Table
from search.report.layout.format import NOT_APPLICABLE, between, fixed, short_name, signed, whole

Row = Mapping[str, Any]
Cell = Callable[[Row], str]

DIFFERENCE = ("value", "low", "high", "p_value", "detectable")


def interval_columns(name: str, found: Interval) -> dict[str, float]:
    """Columns of a figure and of the ends of its interval."""
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def difference_columns(found: Difference | None) -> dict[str, float]:
    """Columns of a paired difference; NaN where nothing is compared."""
    return {f"difference_{name}": math.nan if found is None else getattr(found, name) for name in DIFFERENCE}


def is_baseline(row: Row) -> bool:
    """Whether a row is of a baseline, which tables mark."""
    return bool(row.get("role") == "baseline")


def make_table(
    name: str,
    caption: str,
    columns: Mapping[str, Cell],
    data: pd.DataFrame,
    *,
    shown: pd.DataFrame | None = None,
    mark: Callable[[Row], bool] = is_baseline,
) -> Table:
    """Show a frame, or of its rows those shown, by what writes the cells under each heading."""
    rows = (data if shown is None else shown).to_dict("records")
    return Table(
        name=name,
        caption=caption,
        head=tuple(columns),
        rows=tuple(tuple(write(row) for write in columns.values()) for row in rows),
        data=data,
        marked=frozenset(number for number, row in enumerate(rows) if mark(row)),
    )


def text(name: str) -> Cell:
    """Cells that hold a column's words."""
    return lambda row: str(row[name])


def named(name: str) -> Cell:
    """Cells that call a model by its short name."""
    return lambda row: short_name(row[name])


def count(name: str) -> Cell:
    """Cells that write a count; a dash where there is nothing to count."""
    return lambda row: NOT_APPLICABLE if pd.isna(row[name]) else whole(row[name])


def number(name: str, digits: int, *, sign: bool = False) -> Cell:
    """Cells that write a figure."""
    return lambda row: (signed if sign else fixed)(row[name], digits)


def ends(name: str, digits: int, *, sign: bool = False) -> Cell:
    """Cells that write the ends of a figure's interval."""
    return lambda row: between(row[f"{name}_low"], row[f"{name}_high"], digits, sign=sign)


def interval(name: str, digits: int) -> Cell:
    """Cells that write a figure with its interval."""
    return lambda row: f"{number(name, digits)(row)} {ends(name, digits)(row)}"


def _where_compared(write: Cell) -> Cell:
    return lambda row: NOT_APPLICABLE if pd.isna(row["difference_value"]) else write(row)


DIFFERENCE_CELLS: dict[str, Cell] = {
    "difference": _where_compared(
        lambda row: f"{signed(row['difference_value'], 4)} {ends('difference', 4, sign=True)(row)}"
    ),
    "smallest detectable": _where_compared(number("difference_detectable", 4)),
}
"""A difference with its interval, and the smallest detectable one; dashes where nothing is compared."""
