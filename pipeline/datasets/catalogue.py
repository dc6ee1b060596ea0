"""Catalogue of what a data directory holds: list, show and compare versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipeline.bars import COLUMNS
from pipeline.datasets.dataset import DatasetVersion, Declaration, load_dataset, read_declaration
from pipeline.exceptions import DataError
from pipeline.snapshots.pull import compare
from pipeline.snapshots.snapshot import Snapshot, list_snapshots, load_snapshot

MIN_PREFIX = 4


@dataclass(frozen=True, kw_only=True)
class DatasetEntry(Declaration):
    """What is known of a dataset version without reading its rows.

    Parameters
    ----------
    digest : str
        Its name; what it says of itself is in :class:`pipeline.datasets.dataset.Declaration`.
    rows : int
        Number of days.
    written_at : str
        UTC time of writing, ISO 8601.
    """

    digest: str
    rows: int
    written_at: str


def list_datasets(root: Path) -> list[DatasetEntry]:
    """Every dataset version under a data directory, by ticker and tier, oldest first."""
    entries = [_entry(path) for path in (root / "datasets").glob("*.parquet") if not path.name.startswith(".")]
    return sorted(entries, key=lambda entry: (entry.ticker, entry.tier, entry.written_at))


def find_version(root: Path, prefix: str) -> DatasetEntry | Snapshot:
    """Dataset version or snapshot whose digest starts with ``prefix``.

    Raises
    ------
    DataError
        If none or several do, or the prefix is shorter than four digits.
    """
    if len(prefix) < MIN_PREFIX:
        raise DataError(f"a version must be named by at least {MIN_PREFIX} digits of its digest, got {prefix!r}")
    known: list[DatasetEntry | Snapshot] = [*list_datasets(root), *list_snapshots(root)]
    found = [each for each in known if each.digest.startswith(prefix)]
    if len({each.digest for each in found}) != 1:
        shown = ", ".join(sorted({each.digest[:12] for each in found})) or "none"
        raise DataError(f"a version must match {prefix!r} once under {root}, got {shown}; see: patchscale data list")
    return found[0]


def describe(root: Path, version: DatasetEntry | Snapshot) -> list[tuple[str, str]]:
    """Names and values of what a version is, for display; its content is proved on the way."""
    if isinstance(version, Snapshot):
        load_snapshot(root, version)
        basis = "adjusted" if version.adjusted else "as traded, adjusted close beside"
        return [
            ("snapshot", version.digest),
            ("ticker", version.ticker),
            ("source", f"{version.source} ({version.library})"),
            ("retrieved", version.seen_at),
            ("span", f"{version.first} to {version.last}"),
            ("sessions", f"{version.rows:,}"),
            ("prices", basis),
            *((name, text) for name, text in (("read as", version.reading), ("from", version.origin)) if text),
            *(("warning", warning) for warning in version.warnings),
        ]
    dataset = load_dataset(root, version.digest)
    return [
        ("dataset", version.digest),
        ("ticker", version.ticker),
        ("source", version.source),
        ("tier", f"{version.tier} (code {version.tier_code})"),
        *((f"snapshot of {ticker}", digest) for ticker, digest in version.snapshots.items()),
        ("written", version.written_at),
        ("span", f"{dataset.dates[0].date()} to {dataset.dates[-1].date()}"),
        ("days", f"{version.rows:,}"),
        (f"{len(version.features)} features", ", ".join(version.features)),
        *(("warning", warning) for warning in version.warnings),
    ]


def differences(root: Path, before: DatasetEntry | Snapshot, after: DatasetEntry | Snapshot) -> list[str]:
    """List what differs between two versions, one line each; empty if nothing does.

    Raises
    ------
    DataError
        If one is a snapshot and the other a dataset version.
    """
    if before.digest == after.digest:
        return []
    if isinstance(before, Snapshot) and isinstance(after, Snapshot):
        lines = _declared(before, after, ("ticker", "source", "library", "adjusted", "first", "last", "rows"))
        return [*lines, *compare(load_snapshot(root, before), load_snapshot(root, after)).text().splitlines()]
    if isinstance(before, DatasetEntry) and isinstance(after, DatasetEntry):
        lines = _declared(before, after, ("ticker", "source", "tier", "tier_code", "rows"))
        for ticker in dict.fromkeys((*before.snapshots, *after.snapshots)):
            old, new = (entry.snapshots.get(ticker, "none") for entry in (before, after))
            lines += [f"snapshot of {ticker}: {old[:12]} -> {new[:12]}"] if old != new else []
        return lines + _values(load_dataset(root, before.digest), load_dataset(root, after.digest))
    raise DataError(
        "two versions to compare must be of one kind, got a snapshot and a dataset; see: patchscale data list"
    )


def _declared(before: object, after: object, names: tuple[str, ...]) -> list[str]:
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in names)
    return [f"{name}: {old} -> {new}" for name, old, new in pairs if old != new]


def _values(before: DatasetVersion, after: DatasetVersion) -> list[str]:
    lines = [f"feature {name}: only in the first" for name in before.features if name not in after.features]
    lines += [f"feature {name}: only in the second" for name in after.features if name not in before.features]
    common = before.dates.intersection(after.dates)
    lines += [
        f"days: {len(version.dates.difference(other.dates)):,} only in the {name}"
        for name, version, other in (("first", before, after), ("second", after, before))
        if len(version.dates.difference(other.dates))
    ]
    for name in (*COLUMNS, *(name for name in before.features if name in after.features)):
        old, new = (version.frame[name].loc[common].to_numpy() for version in (before, after))
        changed = np.flatnonzero(old != new)
        if len(changed):
            lines.append(
                f"{name}: {len(changed):,} of {len(common):,} common days differ, by at most "
                f"{np.abs(new - old).max():.3g}, first at {common[changed[0]].date()}"
            )
    return lines


def _entry(path: Path) -> DatasetEntry:
    try:
        file = pq.read_metadata(path)
        written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
        declared = read_declaration(file.metadata)
        return DatasetEntry(digest=path.stem, rows=file.num_rows, written_at=written_at, **declared)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"dataset file {path} can't be read ({error}); delete it and build it again") from error
