"""A figure with its interval: as columns of a table's data, and as the cells that show them."""

from __future__ import annotations

import math

import pandas as pd

from search.evidence import Difference, Interval
from search.report.layout.format import NOT_APPLICABLE, between, fixed, signed

DIFFERENCE = ("value", "low", "high", "p_value", "detectable")


def interval_columns(name: str, found: Interval) -> dict[str, float]:
    """Columns of a figure and of the ends of its interval."""
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def difference_columns(found: Difference | None) -> dict[str, float]:
    """Columns of a paired difference; NaN where nothing is compared."""
    return {f"difference_{name}": math.nan if found is None else getattr(found, name) for name in DIFFERENCE}


def interval_cell(row: dict[str, float], name: str, digits: int) -> str:
    """Write a figure with its interval."""
    return f"{fixed(row[name], digits)} {between(row[f'{name}_low'], row[f'{name}_high'], digits)}"


def difference_cells(row: dict[str, float]) -> tuple[str, str]:
    """Write a difference with its interval, and the smallest detectable one; dashes where nothing is compared."""
    if pd.isna(row["difference_value"]):
        return NOT_APPLICABLE, NOT_APPLICABLE
    interval = between(row["difference_low"], row["difference_high"], 4, sign=True)
    return f"{signed(row['difference_value'], 4)} {interval}", fixed(row["difference_detectable"], 4)


def baseline_rows(frame: pd.DataFrame) -> frozenset[int]:
    """Find the rows of baselines, which a table marks."""
    return frozenset(number for number, role in enumerate(frame["role"]) if role == "baseline")
