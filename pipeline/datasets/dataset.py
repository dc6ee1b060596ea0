"""Dataset versions: features and raw prices of one ticker, named by content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.bars import COLUMNS, adjusted, content_hash
from pipeline.checks import refuse_errors
from pipeline.checks.stored import check_snapshot
from pipeline.datasets.join import align
from pipeline.exceptions import DataError
from pipeline.snapshots.snapshot import Snapshot, load_snapshot, write_atomically
from pipeline.tiers import auxiliary_tickers, compute_tier, tier_code_version, tier_lookback

DIGEST_LENGTH = 32
METADATA_KEY = b"patchscale"
WARNINGS_KEY = b"patchscale.warnings"


@dataclass(frozen=True, kw_only=True)
class DatasetVersion:
    """One ticker's features beside the raw bars that its labels come from.

    Parameters
    ----------
    frame : DataFrame of shape (days, 6 + features)
        Canonical bars as downloaded, which labels come from, then the features, which are
        computed on the adjusted basis; no value is missing.
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
    """

    frame: pd.DataFrame
    ticker: str
    source: str
    tier: str
    features: tuple[str, ...]
    snapshots: dict[str, str]
    tier_code: str
    warnings: tuple[str, ...] = ()

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
        return {
            "ticker": self.ticker,
            "source": self.source,
            "tier": self.tier,
            "features": list(self.features),
            "snapshots": self.snapshots,
            "tier_code": self.tier_code,
        }


def build_dataset(root: Path, snapshot: Snapshot, tier: str, *, auxiliary: Sequence[Snapshot] = ()) -> DatasetVersion:
    """Build, store and return the dataset version of a snapshot and a tier.

    Every snapshot that goes in is checked, and its report is written beside it.
    Where another ticker's history starts later than the predicted one's, the
    version starts with it.

    Parameters
    ----------
    root : Path
        Data directory.
    snapshot : Snapshot
        The ticker that is predicted.
    tier : str
        Name of the feature set.
    auxiliary : sequence of Snapshot, optional
        The other tickers that the tier reads, see
        :func:`pipeline.tiers.auxiliary_tickers`; those it doesn't read are left out.

    Raises
    ------
    DataError
        If a check finds an error, a ticker that the tier reads is missing,
        stale or has gaps, or the days are too few for the tier's look-back.
    """
    needed = auxiliary_tickers(tier)
    given = {other.ticker: other for other in auxiliary}
    missing = [ticker for ticker in needed if ticker not in given]
    if missing:
        raise DataError(
            f"tier {tier} reads {', '.join(needed)} beside {snapshot.ticker}, got no snapshot of "
            f"{', '.join(missing)}; pull it, or take tier r25"
        )
    inputs = (snapshot, *(given[ticker] for ticker in needed))
    last_sessions = {each.ticker: pd.Timestamp(each.last) for each in inputs}
    reports = [check_snapshot(root, each, last_sessions=last_sessions) for each in inputs]
    for report in reports:
        refuse_errors(report)
    raw, *others = (load_snapshot(root, each) for each in inputs)
    bars, aligned = align(
        snapshot.ticker, adjusted(raw), {ticker: adjusted(o) for ticker, o in zip(needed, others, strict=True)}
    )
    features = compute_tier(tier, bars, aligned)
    frame = raw.loc[bars.index].join(features, validate="one_to_one").iloc[tier_lookback(tier) :]
    assert len(frame) == len(bars) - tier_lookback(tier)
    dataset = DatasetVersion(
        frame=frame,
        ticker=snapshot.ticker,
        source=snapshot.source,
        tier=tier,
        features=tuple(features.columns),
        snapshots={each.ticker: each.digest for each in inputs},
        tier_code=tier_code_version(tier),
        warnings=tuple(f"{report.ticker}: {finding.summary}" for report in reports for finding in report.warnings),
    )
    _write(root, dataset)
    return dataset


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
        declaration = json.loads(table.schema.metadata[METADATA_KEY])
        warnings = tuple(json.loads(table.schema.metadata.get(WARNINGS_KEY, b"[]")))
        frame = table.to_pandas()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"dataset file {path} can't be read ({error}); delete it and build it again") from error
    features = tuple(declaration.pop("features"))
    columns = tuple(frame.columns[len(COLUMNS) :])
    if columns != features:
        raise DataError(f"dataset {digest} must hold the features it lists, {features}, got {columns}")
    dataset = DatasetVersion(frame=frame, features=features, warnings=warnings, **declaration)
    if dataset.digest != digest:
        raise DataError(f"dataset file {path} was changed since it was written; delete it and build it again")
    return dataset


def dataset_path(root: Path, digest: str) -> Path:
    """File of a dataset version under a data directory."""
    return root / "datasets" / f"{digest}.parquet"


def _write(root: Path, dataset: DatasetVersion) -> None:
    path = dataset.path(root)
    if path.exists():
        return
    table = pa.Table.from_pandas(dataset.frame)
    metadata = {
        **(table.schema.metadata or {}),
        METADATA_KEY: json.dumps(dataset._declaration()).encode(),
        WARNINGS_KEY: json.dumps(dataset.warnings).encode(),
    }
    write_atomically(path, lambda part: pq.write_table(table.replace_schema_metadata(metadata), part))
