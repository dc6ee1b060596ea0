"""The MLflow dataset entity: which days of which dataset version a run used."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mlflow.data.dataset import Dataset
from mlflow.data.filesystem_dataset_source import FileSystemDatasetSource

from pipeline.datasets.dataset import DatasetVersion
from pipeline.splits.splits import Index


class ParquetSource(FileSystemDatasetSource):
    """A Parquet file: of the data directory by its path, or of a run by its address."""

    def __init__(self, path: str) -> None:
        self._path = path

    @property
    def uri(self) -> str:
        """Path of the file."""
        return self._path

    @staticmethod
    def _get_source_type() -> str:
        return "parquet"

    def load(self, dst_path: str | None = None) -> str:
        """Return the path of the file, which one of a run is brought to."""
        if not self._path.startswith("runs:/"):
            return self._path
        from mlflow.artifacts import download_artifacts

        return download_artifacts(self._path, dst_path=dst_path)

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return isinstance(raw_source, str) and raw_source.endswith(".parquet")

    @classmethod
    def _resolve(cls, raw_source: Any) -> ParquetSource:
        return cls(str(raw_source))

    def to_dict(self) -> dict[str, str]:
        """Return what :meth:`from_dict` needs."""
        return {"uri": self._path}

    @classmethod
    def from_dict(cls, source_dict: dict[str, str]) -> ParquetSource:
        """Return the source that :meth:`to_dict` described."""
        return cls(source_dict["uri"])


class MarketDataset(Dataset):
    """One part (train, validation or test) of a dataset version, as MLflow sees it.

    The digest is the dataset version's own, over its full content, so that
    ``dataset.digest = '…'`` finds every run that used it.

    Parameters
    ----------
    version : DatasetVersion
        The data.
    root : Path
        Data directory that holds its Parquet file.
    rows : ndarray
        Row numbers of the samples of this part.
    labels : ndarray of shape (days,)
        Labels of all days, NaN on sealed ones.
    part : str
        Name of the part.  MLflow keeps one entity a name and digest, so two
        parts of one version on a run must differ in name.
    parts : mapping, optional
        Row numbers of every part of the split, by name: the profile then says
        each part's span and base rate.
    address : str
        Address of a shared store's folder that is laid out as the data directory is; empty for the directory itself.
    """

    def __init__(
        self,
        version: DatasetVersion,
        root: Path,
        rows: Index,
        labels: npt.NDArray[np.float64],
        *,
        part: str = "all",
        parts: Mapping[str, Index] | None = None,
        address: str = "",
    ) -> None:
        self._version = version
        self._parts = parts or {}
        self._rows = rows
        self._labels = labels
        path = version.path(root)
        super().__init__(
            source=ParquetSource(f"{address}/{path.relative_to(root).as_posix()}" if address else str(path)),
            name=f"{version.ticker}-{version.tier}-{part}",
            digest=version.digest,
        )

    def _compute_digest(self) -> str:
        return self._version.digest

    @property
    def profile(self) -> dict[str, Any]:
        """What a person wants to know of the data without opening them."""
        profile: dict[str, Any] = {
            "ticker": self._version.ticker,
            "tickers": list(self._version.snapshots),
            **{name: getattr(self._version, name) for name in ("source", "tier", "tier_code", "snapshots")},
            **self._part_profile(self._rows),
            "num_features": len(self._version.features),
            "features": list(self._version.features),
            "warnings": list(self._version.warnings),
        }
        if self._parts:
            profile["splits"] = {name: self._part_profile(rows) for name, rows in self._parts.items() if len(rows)}
        return profile

    def _part_profile(self, rows: Index) -> dict[str, Any]:
        dates, rate = self._version.dates[rows], float(self._labels[rows].mean())
        return {
            "first_date": str(dates[0].date()),
            "last_date": str(dates[-1].date()),
            "num_rows": len(rows),
            "base_rate": round(rate, 6) if math.isfinite(rate) else "sealed",
        }

    @property
    def schema(self) -> Any:
        """Column names and types in MLflow's form."""
        from mlflow.types import ColSpec, Schema

        return Schema([ColSpec("double", name) for name in self._version.features])

    def to_dict(self) -> dict[str, str]:
        """Return the entity's description: strings, JSON inside."""
        return {
            **super().to_dict(),
            "profile": json.dumps(self.profile),
            "schema": json.dumps({"mlflow_colspec": self.schema.to_dict()}),
        }
