"""Building: checked snapshots of a ticker, joined with those its tier reads, become a dataset version."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline.bars import adjusted
from pipeline.checks import CheckReport, refuse_errors
from pipeline.checks.stored import check_snapshot
from pipeline.datasets.dataset import DatasetVersion, save_dataset
from pipeline.datasets.join import align
from pipeline.exceptions import DataError
from pipeline.share_splits import share_splits, split_consistent
from pipeline.snapshots.snapshot import Snapshot, load_snapshot
from pipeline.tiers import auxiliary_tickers, compute_tier, tier_code_version, tier_lookback


def build_dataset(
    root: Path,
    snapshot: Snapshot,
    tier: str,
    *,
    auxiliary: Sequence[Snapshot] = (),
    accepted: Collection[str] = (),
) -> DatasetVersion:
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
    accepted : collection of str, optional
        Findings of the checks that the user says are right, see :func:`pipeline.accepted.read_accepted`.

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
    reports = [check_snapshot(root, each, last_sessions=last_sessions, accepted=accepted) for each in inputs]
    for report in reports:
        refuse_errors(report)
    loaded = {each.ticker: load_snapshot(root, each) for each in inputs}
    raw, *others = (split_consistent(bars) for bars in loaded.values())
    bars, aligned = align(
        snapshot.ticker, adjusted(raw), {ticker: adjusted(o) for ticker, o in zip(needed, others, strict=True)}
    )
    features = compute_tier(tier, bars, aligned, ticker=snapshot.ticker)
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
        warnings=tuple(_warnings(inputs, reports, loaded)),
        accepted=tuple(dict.fromkeys(name for report in reports for name in report.accepted)),
    )
    save_dataset(root, dataset)
    return dataset


def _warnings(
    inputs: Sequence[Snapshot], reports: Sequence[CheckReport], loaded: Mapping[str, pd.DataFrame]
) -> Iterator[str]:
    """Say what a user should know of the data: left out on reading, found, accepted, put on one basis."""
    for snapshot, report in zip(inputs, reports, strict=True):
        said = [*snapshot.warnings, *(finding.summary for finding in report.warnings)]
        said += [f"{name} was found and accepted" for name in report.accepted]
        said += [
            f"share_splits: split of {split}; the bars before it are put on the basis of the shares after it"
            for split in share_splits(loaded[snapshot.ticker])
        ]
        yield from (f"{snapshot.ticker}: {each}" for each in said)
