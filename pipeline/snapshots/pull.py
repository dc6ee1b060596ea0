"""Refresh: a new download against the snapshot before it.

A download always holds the whole history and becomes a snapshot of its own;
rows are never appended, so no snapshot stands on two price bases.  What this
module adds is the comparison: did the past change, by which factor, and when?
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.bars import COLUMNS, PRICES
from pipeline.exceptions import DataError
from pipeline.snapshots.snapshot import Snapshot, latest_snapshots, load_snapshot, save_snapshot, snapshot_path
from pipeline.sources import Source

RELATIVE_TOLERANCE = 1e-5
"""Differences below it are rounding: Yahoo's prices have seven significant digits."""
SHOWN_ROWS = 10

Values = npt.NDArray[np.float64]


class Change(StrEnum):
    """What happened to the sessions that both snapshots hold."""

    UNCHANGED = "unchanged"
    RESTATED = "restated"
    CHANGED = "changed"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedRow:
    """One value that differs, or one session that is in one snapshot only (the other value is None)."""

    day: date
    column: str
    before: float | None
    after: float | None

    def __str__(self) -> str:
        shown = ("absent" if value is None else f"{value:.8g}" for value in (self.before, self.after))
        return f"{self.day} {self.column}: " + " -> ".join(shown)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refresh:
    """Comparison of two snapshots of one ticker.

    Parameters
    ----------
    change : Change
        Unchanged, restated by one constant factor, or changed.
    overlap, new_sessions : int
        Sessions in both, and sessions after the earlier one's last.
    factor, price_factor : float
        By what the adjusted close, and open to close, were multiplied; 1 if not.
    restated_through : date or None
        Last session that was multiplied.
    effective : date or None
        First session on the new basis (the ex-date), where the bars tell it.
    rows : tuple of ChangedRow
        Every difference, if changed.
    """

    change: Change
    overlap: int
    new_sessions: int
    factor: float = 1.0
    price_factor: float = 1.0
    restated_through: date | None = None
    effective: date | None = None
    rows: tuple[ChangedRow, ...] = ()

    def text(self, shown_rows: int | None = SHOWN_ROWS) -> str:
        """Sentence and, if changed, the rows."""
        head = f"{self.change}: {self.overlap:,} sessions compared, {self.new_sessions:,} new"
        if self.change is Change.RESTATED:
            cause = "a dividend" if self.price_factor == 1.0 else "a split, or a dividend on an adjusted series"
            since = f", effective {self.effective}" if self.effective else ""
            return (
                f"{head}; adjusted closes through {self.restated_through} multiplied by {self.factor:.8g}, "
                f"prices by {self.price_factor:.8g} ({cause}{since})"
            )
        rows = self.rows[:shown_rows]
        more = [f"… and {len(self.rows) - len(rows):,} more"] if len(rows) < len(self.rows) else []
        return "\n".join([head, *(f"  {row}" for row in rows), *(f"  {line}" for line in more)])


def compare(before: pd.DataFrame, after: pd.DataFrame) -> Refresh:
    """Compare two downloads of one ticker over the sessions that both hold.

    Parameters
    ----------
    before, after : DataFrame
        Canonical bars, the earlier and the later download.

    Raises
    ------
    DataError
        If they have no session in common.

    Examples
    --------
    A dividend restates the adjusted closes before it, and nothing else:

    >>> days = pd.DatetimeIndex(["2024-03-13", "2024-03-14", "2024-03-15"], name="date")
    >>> now = pd.DataFrame(dict.fromkeys(COLUMNS, 100.0), index=days).assign(adj_close=[99.0, 99.0, 100.0])
    >>> refresh = compare(now.iloc[:2].assign(adj_close=100.0), now)
    >>> str(refresh.change), round(refresh.factor, 4), str(refresh.effective)
    ('restated', 0.99, '2024-03-15')
    """
    common = before.index.intersection(after.index)
    if not len(common):
        raise DataError(
            f"two snapshots must share sessions to be compared, got {before.index[0].date()} to "
            f"{before.index[-1].date()} and {after.index[0].date()} to {after.index[-1].date()}; pull the whole history"
        )
    refresh = partial(Refresh, overlap=len(common), new_sessions=int((after.index > before.index[-1]).sum()))
    one_sided = list(_one_sided(before, after))
    ratios = {name: _ratio(before[name].loc[common], after[name].loc[common]) for name in COLUMNS}
    if not one_sided:
        if all(_equal(ratio, 1.0).all() for ratio in ratios.values()):
            return refresh(change=Change.UNCHANGED)
        restated = _restatement(ratios)
        if restated is not None:
            end, factor, price_factor = restated
            return refresh(
                change=Change.RESTATED,
                factor=factor,
                price_factor=price_factor,
                restated_through=common[end - 1].date(),
                effective=common[end].date() if end < len(common) else _next_factor_step(after, common[-1]),
            )
    rows = [*one_sided, *_differences(before.loc[common], after.loc[common], ratios)]
    return refresh(change=Change.CHANGED, rows=tuple(sorted(rows, key=lambda row: row.day)))


def pull(root: Path, source: Source, ticker: str) -> tuple[Snapshot, Refresh | None]:
    """Download a ticker's whole history, store it as a snapshot, compare it with the one before.

    Returns
    -------
    Snapshot
        What is now stored: the old one where the content is the same.
    Refresh or None
        The comparison; None if there was no snapshot of this ticker from this source.

    Raises
    ------
    DataError
        If the source can't deliver, or shares no session with what is stored.
    """
    download = source.fetch(ticker)
    before = latest_snapshots(root, source.name).get(ticker)
    if before is not None and not snapshot_path(root, ticker, before.digest).exists():
        before = None
    refresh = None if before is None else compare(load_snapshot(root, before), download.bars)
    return save_snapshot(root, source.name, download), refresh


def _ratio(before: pd.Series, after: pd.Series) -> Values:
    """Later over earlier value; 1 where both are zero."""
    old, new = before.to_numpy(dtype=np.float64), after.to_numpy(dtype=np.float64)
    both_zero = (old == 0) & (new == 0)
    return np.where(both_zero, 1.0, np.divide(new, old, out=np.full(len(old), np.inf), where=old != 0))


def _equal(ratio: Values, factor: float) -> npt.NDArray[np.bool_]:
    return np.abs(ratio - factor) <= RELATIVE_TOLERANCE * abs(factor)


def _restatement(ratios: dict[str, Values]) -> tuple[int, float, float] | None:
    """Rows restated, factor of the adjusted close, factor of prices; None if it isn't one restatement."""
    adjusted = ratios["adj_close"]
    moved = np.flatnonzero(~_equal(adjusted, 1.0))
    if not len(moved):
        return None
    end = int(moved[-1]) + 1
    factor = float(np.median(adjusted[:end]))
    price_factor = float(np.median(ratios["close"][:end]))
    if _equal(np.array([price_factor]), 1.0)[0]:
        price_factor = 1.0

    def steps(ratio: Values, value: float) -> bool:
        return bool(_equal(ratio[:end], value).all() and _equal(ratio[end:], 1.0).all())

    prices = steps(adjusted, factor) and all(steps(ratios[name], price_factor) for name in PRICES)
    volume = steps(ratios["volume"], 1.0) or np.allclose(
        ratios["volume"][:end][ratios["volume"][:end] != 1.0], 1.0 / price_factor, rtol=1e-3
    )
    return (end, factor, price_factor) if prices and volume else None


def _next_factor_step(bars: pd.DataFrame, day: pd.Timestamp) -> date | None:
    """First session after a day on which adjusted over raw close changes."""
    factor = (bars["adj_close"] / bars["close"]).loc[day:]
    moved = factor.index[~_equal((factor / factor.iloc[0]).to_numpy(dtype=np.float64), 1.0)]
    return moved[0].date() if len(moved) else None


def _one_sided(before: pd.DataFrame, after: pd.DataFrame) -> Iterator[ChangedRow]:
    """Sessions that vanished, and sessions that appeared inside the earlier span or before it."""
    vanished = before["close"].loc[before.index.difference(after.index)]
    appeared = after["close"].loc[after.index.difference(before.index)].loc[: before.index[-1]]
    for day, close in zip(vanished.index, vanished.to_list(), strict=True):
        yield ChangedRow(day=day.date(), column="close", before=close, after=None)
    for day, close in zip(appeared.index, appeared.to_list(), strict=True):
        yield ChangedRow(day=day.date(), column="close", before=None, after=close)


def _differences(before: pd.DataFrame, after: pd.DataFrame, ratios: dict[str, Values]) -> Iterator[ChangedRow]:
    for name in COLUMNS:
        old, new = before[name].to_list(), after[name].to_list()
        for row in np.flatnonzero(~_equal(ratios[name], 1.0)).tolist():
            yield ChangedRow(day=before.index[row].date(), column=name, before=old[row], after=new[row])
