"""What bars must satisfy before anything is built from them."""

from __future__ import annotations

import pandas as pd
import pandera.errors
import pandera.pandas as pa

from pipeline.bars import PRICES
from pipeline.exceptions import DataError

BARS = pa.DataFrameSchema(
    {
        **{name: pa.Column("float64", pa.Check.gt(0, error="a price must be positive")) for name in PRICES},
        "adj_close": pa.Column("float64", pa.Check.gt(0, error="a price must be positive")),
        "volume": pa.Column("float64", pa.Check.ge(0, error="volume must not be negative")),
    },
    index=pa.Index("datetime64[ns]", unique=True),
    checks=[
        pa.Check(lambda b: b["high"] >= b[["open", "low", "close"]].max(axis=1), error="high must bound the bar"),
        pa.Check(lambda b: b["low"] <= b[["open", "high", "close"]].min(axis=1), error="low must bound the bar"),
    ],
    strict=True,
)


def require_valid(ticker: str, bars: pd.DataFrame) -> None:
    """Refuse bars that break the schema.

    Raises
    ------
    DataError
        Naming the ticker, the rule, the first date and how many rows break it.
    """
    try:
        BARS.validate(bars, lazy=True)
    except pandera.errors.SchemaErrors as error:
        first = error.failure_cases.iloc[0]
        raise DataError(
            f"{ticker}: {first['check']}, got {first['failure_case']} in column {first['column']} "
            f"at {first['index']} ({len(error.failure_cases)} findings); correct the source's data"
        ) from error
    if not bars.index.is_monotonic_increasing:
        raise DataError(f"{ticker}: dates must be ascending; sort the rows")
