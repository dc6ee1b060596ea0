"""Snapshots: raw bars as downloaded, immutable, named by what they hold."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pandas as pd

from pipeline.bars import content_hash
from pipeline.exceptions import DataError
from pipeline.named_file import child
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
        UTC time of the first download of this content, ISO 8601.
    first, last : str
        First and last session, ISO dates.
    rows : int
        Number of sessions.
    adjusted : bool
        Whether the provider's prices were already adjusted.
    last_retrieved_at : str
        UTC time of the last download of it, where another content came in between; else empty.
    reading : str
        What was taken from the file it comes from: ``dates dd/mm/yyyy, decimal comma``.
    warnings : tuple of str
        What was left out of it.
    origin : str
        The source as it is typed, where its name alone does not open it; a directory beside the data directory stands
        there as a path from the folder that holds both.
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
    last_retrieved_at: str = field(default="", compare=False)
    reading: str = field(default="", compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)
    origin: str = field(default="", compare=False)

    @property
    def seen_at(self) -> str:
        """UTC time at which its source last answered with it."""
        return self.last_retrieved_at or self.retrieved_at


def save_snapshot(root: Path, source: str, download: Download) -> Snapshot:
    """Store a download under ``root/snapshots``; where the same content is there, it becomes the newest again.

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
        return _seen_again(root, known, download)
    snapshot = Snapshot(
        digest=digest,
        ticker=download.ticker,
        source=source,
        library=download.library,
        retrieved_at=_now(),
        first=str(bars.index[0].date()),
        last=str(bars.index[-1].date()),
        rows=len(bars),
        adjusted=download.adjusted,
        reading=download.reading,
        warnings=download.warnings,
        origin=_movable(root, download.origin),
    )
    write_atomically(path, lambda part: bars.to_parquet(part))
    _write_metadata(root, snapshot)
    return snapshot


def _seen_again(root: Path, known: Snapshot, download: Download) -> Snapshot:
    """Remember that a source answered once more with what is stored; nothing is written where nothing is new."""
    again = replace(
        known,
        reading=download.reading or known.reading,
        warnings=download.warnings,
        origin=_movable(root, download.origin) or known.origin,
    )
    same = [other for other in list_snapshots(root) if (other.ticker, other.source) == (known.ticker, known.source)]
    if same[-1].digest != known.digest:
        again = replace(again, last_retrieved_at=_now())
    if again.last_retrieved_at != known.last_retrieved_at:
        _write_metadata(root, again)
    elif asdict(again) != asdict(known):
        with suppress(OSError):  # only words changed: a directory that can't be written to is read as before
            _write_metadata(root, again)
    return again


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _write_metadata(root: Path, snapshot: Snapshot) -> None:
    path = snapshot_path(root, snapshot.ticker, snapshot.digest).with_suffix(".json")
    text = json.dumps(asdict(snapshot), indent=2, ensure_ascii=False)
    write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))


def _movable(root: Path, origin: str) -> str:
    """Write an origin so that it is found where data directory and files are moved together."""
    kind, _, rest = origin.partition(":")
    directory, _, settings = rest.rpartition("?")
    beside = Path(directory).absolute()
    if not origin or not beside.is_relative_to(root.absolute().parent):
        return origin and f"{kind}:{beside}?{settings}"
    return f"{kind}:{beside.relative_to(root.absolute().parent)}?{settings}"


def origin_of(root: Path, snapshot: Snapshot) -> str:
    """Source of a snapshot as it is typed, from wherever the command runs; its name where that alone opens it."""
    kind, _, rest = snapshot.origin.partition(":")
    directory, _, settings = rest.rpartition("?")
    return f"{kind}:{root.absolute().parent / directory}?{settings}" if snapshot.origin else snapshot.source


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
    """Every snapshot under ``root``, by ticker, in the order in which their sources last answered with them."""
    found = [_read_metadata(path) for path in (root / "snapshots").glob("*/*.json")]
    yield from sorted(found, key=lambda snapshot: (snapshot.ticker, snapshot.seen_at))


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
    folder = re.sub(r"[^A-Za-z0-9.=-]|^\.+$", "_", ticker)  # "." and ".." are directories of others
    return child(child(root / "snapshots", folder, "ticker"), f"{digest}.parquet", "snapshot")


def _read_metadata(path: Path) -> Snapshot:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return Snapshot(**{**known, "warnings": tuple(known.get("warnings", ()))})
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(f"snapshot metadata {path} can't be read ({error}); delete it and pull again") from error
