"""Checks of form: columns, types, dates, and the bounds of a bar."""

from __future__ import annotations

import pandas as pd
import pandera.errors
import pandera.pandas as pa

from pipeline.bars import COLUMNS, PRICES, ROUNDING
from pipeline.checks.check import Series, error, itemise

SCHEMA = pa.DataFrameSchema(
    {
        name: pa.Column("float64", pa.Check.ge(0, error="volume must not be negative") if name == "volume" else None)
        for name in COLUMNS
    },
    index=pa.Index("datetime64[ns]"),
    strict=True,
)


@error(
    "bars must have six float64 columns without gaps, volume 0 or more, and dates",
    remedy="correct the source's data",
)
def _schema(series: Series) -> list[str]:
    if not len(series.bars):
        return ["no rows"]
    try:
        SCHEMA.validate(series.bars, lazy=True)
    except pandera.errors.SchemaErrors as error:
        return [
            f"{case.check} in column {case.column}"
            if pd.isna(case.index)
            else f"{str(case.index)[:10]} {case.column} {case.failure_case} ({case.check})"
            for case in error.failure_cases.itertuples()
        ]
    return []


@error("dates must be ascending", remedy="sort the rows")
def _unsorted_dates(series: Series) -> list[str]:
    dates = series.bars.index
    back = dates[1:] < dates[:-1]
    return [f"{later.date()} after {day.date()}" for day, later in zip(dates[:-1][back], dates[1:][back], strict=True)]


@error("a date must be there once", remedy="remove the extra rows")
def _duplicate_dates(series: Series) -> list[str]:
    dates = series.bars.index
    return [str(day.date()) for day in dates[dates.duplicated()].unique()]


@error("a price must be positive", remedy="correct the source's data")
def _non_positive_prices(series: Series) -> list[str]:
    return [item for name in (*PRICES, "adj_close") for item in itemise(series.bars, series.bars[name] <= 0, name)]


@error("high must bound the bar from above and low from below", remedy="correct the source's data")
def _price_bounds(series: Series) -> list[str]:
    bars = series.bars
    inside = bars[["open", "close"]]
    highest, lowest = bars["high"] * (1 + ROUNDING), bars["low"] * (1 - ROUNDING)
    broken = (highest < inside.max(axis=1)) | (lowest > inside.min(axis=1)) | (highest < lowest)
    return itemise(bars, broken, *PRICES)


STRUCTURE = (_schema, _unsorted_dates, _duplicate_dates, _non_positive_prices, _price_bounds)
"""Where one of these finds anything, the other checks make no sense and are not made."""
