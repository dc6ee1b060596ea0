"""Snapshots: raw bars as downloaded, immutable, named by what they hold."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pandas as pd

from pipeline.bars import content_hash
from pipeline.exceptions import DataError
from pipeline.sources import Download


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """What is known of a snapshot without reading its bars.

    Parameters
    ----------
    digest : str
        SHA-256 of the bars' canonical content, 64 hex digits.
    ticker, source, library : str
        What was asked, of whom, by which version of which library.
    retrieved_at : str
        UTC time of the download, ISO 8601.
    first, last : str
        First and last session, ISO dates.
    rows : int
        Number of sessions.
    adjusted : bool
        Whether the provider's prices were already adjusted.
    """

    digest: str
    ticker: str
    source: str
    library: str
    retrieved_at: str
    first: str
    last: str
    rows: int
    adjusted: bool


def save_snapshot(root: Path, source: str, download: Download) -> Snapshot:
    """Store a download under ``root/snapshots`` unless the same content is there.

    Writing is atomic: a reader, or a second writer, sees a whole file or none.

    Raises
    ------
    DataError
        If there are no bars, or the same content is there and said to be on
        the other price basis.
    """
    bars = download.bars
    if not len(bars):
        raise DataError(f"{download.ticker}: a snapshot must hold at least one session, got none from {source}")
    digest = content_hash(bars)
    path = snapshot_path(root, download.ticker, digest)
    if path.exists() and path.with_suffix(".json").exists():
        known = _read_metadata(path.with_suffix(".json"))
        if known.adjusted != download.adjusted:
            raise DataError(
                f"{download.ticker}: the same bars are stored with adjusted={known.adjusted}, got "
                f"adjusted={download.adjusted}; one of the two is wrong: pull as before, or delete {path.parent}"
            )
        return known
    snapshot = Snapshot(
        digest=digest,
        ticker=download.ticker,
        source=source,
        library=download.library,
        retrieved_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        first=str(bars.index[0].date()),
        last=str(bars.index[-1].date()),
        rows=len(bars),
        adjusted=download.adjusted,
    )
    write_atomically(path, lambda part: bars.to_parquet(part))
    text = json.dumps(asdict(snapshot), indent=2)
    write_atomically(path.with_suffix(".json"), lambda part: part.write_text(text))
    return snapshot


def load_snapshot(root: Path, snapshot: Snapshot) -> pd.DataFrame:
    """Read a snapshot's bars and prove that they are what the name says.

    Raises
    ------
    DataError
        If the file is gone or its content has changed.
    """
    path = snapshot_path(root, snapshot.ticker, snapshot.digest)
    if not path.exists():
        raise DataError(
            f"snapshot {snapshot.digest[:12]} of {snapshot.ticker} is gone from {path.parent}; pull it again"
        )
    try:
        bars = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"snapshot file {path} can't be read ({error}); delete it and pull again") from error
    if content_hash(bars) != snapshot.digest:
        raise DataError(f"snapshot file {path} was changed since it was written; delete it and pull again")
    return bars


def list_snapshots(root: Path) -> Iterator[Snapshot]:
    """Every snapshot under ``root``, by ticker, oldest download first."""
    found = [_read_metadata(path) for path in (root / "snapshots").glob("*/*.json")]
    yield from sorted(found, key=lambda snapshot: (snapshot.ticker, snapshot.retrieved_at))


def latest_snapshots(root: Path, source: str | None = None) -> dict[str, Snapshot]:
    """Newest snapshot of each ticker, of one source or of any."""
    return {
        snapshot.ticker: snapshot for snapshot in list_snapshots(root) if source is None or snapshot.source == source
    }


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call ``write(temporary_path)``, then move the result to ``path`` in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{uuid4().hex[:8]}.part")
    try:
        write(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def snapshot_path(root: Path, ticker: str, digest: str) -> Path:
    """Parquet file of a snapshot under a data directory."""
    return root / "snapshots" / re.sub(r"[^A-Za-z0-9.=-]", "_", ticker) / f"{digest}.parquet"


def _read_metadata(path: Path) -> Snapshot:
    try:
        return Snapshot(**json.loads(path.read_text()))
    except (TypeError, ValueError) as error:
        raise DataError(f"snapshot metadata {path} can't be read ({error}); delete it and pull again") from error
