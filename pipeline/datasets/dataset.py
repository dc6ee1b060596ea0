"""Dataset versions: features and raw prices of one ticker, named by content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.bars import COLUMNS, content_hash
from pipeline.exceptions import DataError
from pipeline.named_file import child
from pipeline.snapshots.snapshot import write_atomically

DIGEST_LENGTH = 32
METADATA_KEY = b"patchscale"
WARNINGS_KEY = b"patchscale.warnings"
ACCEPTED_KEY = b"patchscale.accepted"
DECLARED = ("ticker", "source", "tier", "features", "snapshots", "tier_code")


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a dataset version says of itself.

    Parameters
    ----------
    ticker, source, tier : str
        Where it comes from and how it was made.
    features : tuple of str
        Feature columns, in the order in which a model reads them.
    snapshots : dict
        Ticker to snapshot digest, of everything that went in.
    tier_code : str
        Version of the code that computed the features.
    warnings : tuple of str
        What the checks of the snapshots remarked; not part of the identity.
    accepted : tuple of str
        What they found and the user said is right, ``missing_sessions:2010-05-06``; not part of the identity.
    """

    ticker: str
    source: str
    tier: str
    features: tuple[str, ...]
    snapshots: dict[str, str]
    tier_code: str
    warnings: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DatasetVersion(Declaration):
    """One ticker's features beside the raw bars that its labels come from.

    Parameters
    ----------
    frame : DataFrame of shape (days, 6 + features)
        Canonical bars as downloaded, but on one basis of shares (:func:`pipeline.share_splits.split_consistent`),
        which labels come from, then the features, which are computed on the adjusted basis; no value is missing.
    ticker, source, tier, features, snapshots, tier_code, warnings, accepted
        See :class:`Declaration`.
    """

    frame: pd.DataFrame

    @cached_property
    def digest(self) -> str:
        """First 32 hex digits of the SHA-256 over content and declaration."""
        declaration = json.dumps(self._declaration(), sort_keys=True)
        return hashlib.sha256((content_hash(self.frame) + declaration).encode()).hexdigest()[:DIGEST_LENGTH]

    @property
    def dates(self) -> pd.DatetimeIndex:
        """Sessions, ascending."""
        return pd.DatetimeIndex(self.frame.index)

    @property
    def feature_matrix(self) -> npt.NDArray[np.float32]:
        """Features of shape (days, features), float32."""
        return self.frame[list(self.features)].to_numpy(dtype=np.float32)

    def path(self, root: Path) -> Path:
        """File of this version under a data directory."""
        return dataset_path(root, self.digest)

    def _declaration(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in DECLARED}


def load_dataset(root: Path, digest: str) -> DatasetVersion:
    """Read a dataset version and prove that it is what its name says.

    Raises
    ------
    DataError
        If there is no such version, it can't be read, or its content, its
        feature list or its declaration is not what was stored.
    """
    path = dataset_path(root, digest)
    if not path.exists():
        raise DataError(f"dataset version {digest} is not in {path.parent}; build it again with the same command")
    try:
        table = pq.read_table(path)
        declaration = read_declaration(table.schema.metadata)
        frame = table.to_pandas()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"dataset file {path} can't be read ({error}); delete it and build it again") from error
    dataset = DatasetVersion(frame=frame, **declaration)
    columns = tuple(frame.columns[len(COLUMNS) :])
    if columns != dataset.features:
        raise DataError(f"dataset {digest} must hold the features it lists, {dataset.features}, got {columns}")
    if dataset.digest != digest:
        raise DataError(f"dataset file {path} was changed since it was written; delete it and build it again")
    return dataset


def read_declaration(metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    """Fields of the :class:`Declaration` in a dataset file's metadata."""
    declared = json.loads(metadata[METADATA_KEY])
    beside = {"warnings": WARNINGS_KEY, "accepted": ACCEPTED_KEY}
    said = {name: tuple(json.loads(metadata.get(key, b"[]"))) for name, key in beside.items()}
    return {**declared, "features": tuple(declared["features"]), **said}


def dataset_path(root: Path, digest: str) -> Path:
    """File of a dataset version under a data directory."""
    return child(root / "datasets", f"{digest}.parquet", "dataset")


def save_dataset(root: Path, dataset: DatasetVersion) -> None:
    """Store a dataset version under ``root/datasets`` unless it is there, with what was accepted for it."""
    path = dataset.path(root)
    if path.exists() and set(dataset.accepted) <= _stored_accepted(path):
        return
    table = pa.Table.from_pandas(dataset.frame)
    metadata = {
        **(table.schema.metadata or {}),
        METADATA_KEY: json.dumps(dataset._declaration()).encode(),
        WARNINGS_KEY: json.dumps(dataset.warnings).encode(),
        ACCEPTED_KEY: json.dumps(dataset.accepted).encode(),
    }
    write_atomically(path, lambda part: pq.write_table(table.replace_schema_metadata(metadata), part))


def _stored_accepted(path: Path) -> set[str]:
    """Read what a stored version says was accepted; an unreadable file says nothing, and is refused on loading."""
    try:
        return set(read_declaration(pq.read_metadata(path).metadata)["accepted"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()
