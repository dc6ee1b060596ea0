"""Checks of a stored snapshot: the report lies beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from pipeline.checks import CheckReport, check_bars
from pipeline.snapshots.snapshot import Snapshot, list_snapshots, load_snapshot, snapshot_path, write_atomically


def check_snapshot(
    root: Path,
    snapshot: Snapshot,
    *,
    last_sessions: Mapping[str, pd.Timestamp] | None = None,
    accepted: Collection[str] = (),
) -> CheckReport:
    """Check a snapshot, against the one before it where there is one, and write the report.

    Parameters
    ----------
    root : Path
        Data directory.
    snapshot : Snapshot
        What to check.
    last_sessions : mapping, optional
        Last session of each other ticker, for the check of freshness.
    accepted : collection of str, optional
        Findings that the user says are right, see :func:`pipeline.accepted.read_accepted`.

    Raises
    ------
    DataError
        If a file is gone or changed.
    """
    earlier = snapshot_before(root, snapshot)
    report = check_bars(
        snapshot.ticker,
        load_snapshot(root, snapshot),
        last_sessions=last_sessions,
        previous=None if earlier is None else load_snapshot(root, earlier),
        accepted=accepted,
    )
    text = "\n".join([report.text(None), *(f"  read as: {each}" for each in [snapshot.reading] if each), ""])
    write_atomically(report_path(root, snapshot), lambda part: part.write_text(text, encoding="utf-8"))
    return report


def report_path(root: Path, snapshot: Snapshot) -> Path:
    """Text file of a snapshot's report, beside the snapshot."""
    return snapshot_path(root, snapshot.ticker, snapshot.digest).with_suffix(".checks.txt")


def snapshot_before(root: Path, snapshot: Snapshot) -> Snapshot | None:
    """Find what the same source last said of the same ticker before it said this, if anything."""
    earlier = [
        other
        for other in list_snapshots(root)
        if (other.ticker, other.source) == (snapshot.ticker, snapshot.source) and other.seen_at < snapshot.seen_at
    ]
    return earlier[-1] if earlier else None
