"""Parquet and Feather files, which know the types of their columns."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.exceptions import DataError
from pipeline.sources.files.layout import Table

SUFFIXES = {".parquet": "Parquet", ".pq": "Parquet", ".feather": "Feather"}


def read_columnar_table(path: Path) -> Table:
    """Read a typed file as a table; the index, where it has a meaning, is a column like the others.

    Raises
    ------
    DataError
        If it can't be read.
    """
    import pyarrow as pa
    from pyarrow import feather, parquet

    kind = SUFFIXES[path.suffix.lower()]
    try:
        read = parquet.read_table(path) if kind == "Parquet" else feather.read_table(path)
        frame = read.to_pandas()
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise DataError(f"must be a {kind} file: {' '.join(str(error).split())}") from error
    labels = [_label(name) for name in frame.columns]
    depth = max((len(label) for label in labels), default=1)
    if not isinstance(frame.index, pd.RangeIndex):
        labels = [("",) * (depth - 1) + (str(frame.index.name or ""),), *labels]
        frame = pd.concat([frame.index.to_series().reset_index(drop=True), frame.reset_index(drop=True)], axis=1)
    return Table(
        labels=tuple((*label, *("",) * (depth - len(label))) for label in labels),
        cells=frame.set_axis(range(frame.shape[1]), axis=1),
        lines=tuple(range(1, len(frame) + 1)),
        said=(f"{kind} file",),
    )


def _label(name: object) -> tuple[str, ...]:
    parts = name if isinstance(name, tuple) else (name,)
    return tuple(str(part).strip() for part in parts)
