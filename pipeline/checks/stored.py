"""Checks of a stored snapshot: the report lies beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.checks import CheckReport, check_bars
from pipeline.snapshots.snapshot import Snapshot, list_snapshots, load_snapshot, snapshot_path, write_atomically


def check_snapshot(
    root: Path, snapshot: Snapshot, *, last_sessions: Mapping[str, pd.Timestamp] | None = None
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
    )
    write_atomically(report_path(root, snapshot), lambda part: part.write_text(report.text(None) + "\n"))
    return report


def report_path(root: Path, snapshot: Snapshot) -> Path:
    """Text file of a snapshot's report, beside the snapshot."""
    return snapshot_path(root, snapshot.ticker, snapshot.digest).with_suffix(".checks.txt")


def snapshot_before(root: Path, snapshot: Snapshot) -> Snapshot | None:
    """Find the snapshot of the same ticker and source that was downloaded just before, if any."""
    earlier = [
        other
        for other in list_snapshots(root)
        if (other.ticker, other.source) == (snapshot.ticker, snapshot.source)
        and other.retrieved_at < snapshot.retrieved_at
    ]
    return earlier[-1] if earlier else None
