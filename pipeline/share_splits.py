"""Splits of shares in prices as traded: found where the adjusted close knows them, and taken out of the bars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.bars import PRICES

WHOLE = (
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    12,
    15,
    16,
    20,
    24,
    25,
    28,
    30,
    35,
    40,
    45,
    50,
    60,
    75,
    100,
    150,
    200,
    250,
    500,
    1000,
)
BROKEN = (5 / 4, 6 / 5, 4 / 3, 3 / 2, 5 / 3, 5 / 2, 7 / 2)
RATIOS = np.array(sorted({ratio for each in (*WHOLE, *BROKEN) for ratio in (float(each), 1 / each)}))
"""New shares for an old one; below 1 the split is a reverse one."""
WHOLE_TOLERANCE = 0.02
BROKEN_TOLERANCE = 0.004
"""Of the logarithm of a step: a dividend can fall on the day of a split, and may itself be near a small ratio."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShareSplit:
    """A split of shares.

    Parameters
    ----------
    day : date
        First session after it.
    ratio : float
        New shares for an old one.
    """

    day: date
    ratio: float

    def __str__(self) -> str:
        words = f"{self.ratio:g} for 1" if self.ratio > 1 else f"1 for {1 / self.ratio:g}"
        return f"{words} on {self.day}"


def share_splits(bars: pd.DataFrame) -> list[ShareSplit]:
    """Find the splits that prices as traded show and the adjusted close has taken out.

    Two things must agree: from one day to the next the adjusted close over the close rises, or falls, by the ratio of
    a split, and the price jumps by it.  A dividend changes the first by less, and is left alone.

    Parameters
    ----------
    bars : DataFrame
        Canonical bars as traded, see :mod:`pipeline.bars`.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2014-06-06", "2014-06-09"])
    >>> bars = pd.DataFrame({"close": [402.0, 101.0], "adj_close": [100.5, 101.0]}, index=days)
    >>> [str(split) for split in share_splits(bars)]
    ['4 for 1 on 2014-06-09']
    """
    return [
        ShareSplit(day=day.date(), ratio=float(ratio))
        for day, ratio in zip(bars.index, _ratios(bars), strict=True)
        if ratio != 1.0
    ]


def split_consistent(bars: pd.DataFrame) -> pd.DataFrame:
    """Bars on the basis of the last day's shares: prices before a split are divided by its ratio, volumes multiplied.

    Dividends are left alone, and so is the adjusted close; bars without splits are returned as they are.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2014-06-06", "2014-06-09"])
    >>> row = {"open": 400.0, "high": 408.0, "low": 396.0, "close": 402.0, "adj_close": 100.5, "volume": 1000.0}
    >>> after = {"open": 100.6, "high": 102.0, "low": 100.0, "close": 101.0, "adj_close": 101.0, "volume": 4000.0}
    >>> split_consistent(pd.DataFrame([row, after], index=days)).iloc[0].tolist()
    [100.0, 102.0, 99.0, 100.5, 100.5, 4000.0]
    """
    ratios = _ratios(bars)
    if (ratios == 1.0).all():
        return bars
    later = np.append(np.cumprod(ratios[::-1])[::-1][1:], 1.0)
    prices = {name: bars[name] / later for name in PRICES}
    return bars.assign(**prices, volume=bars["volume"] * later)


def _ratios(bars: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Find how many new shares there are for an old one on each day; 1 where there is no split."""
    ratios = np.ones(len(bars))
    close = bars["close"].to_numpy(dtype=np.float64)
    with np.errstate(all="ignore"):
        factor = np.log(bars["adj_close"].to_numpy(dtype=np.float64) / close)
        moves = np.diff(np.log(close))
    steps = np.diff(factor)
    for at in np.flatnonzero(np.abs(steps) > BROKEN_TOLERANCE * 10):
        nearest = RATIOS[np.abs(np.log(RATIOS) - steps[at]).argmin()]
        whole = min(abs(max(nearest, 1 / nearest) - each) for each in WHOLE) < 1e-9
        near = abs(np.log(nearest) - steps[at]) < (WHOLE_TOLERANCE if whole else BROKEN_TOLERANCE)
        if near and abs(moves[at] + np.log(nearest)) < abs(moves[at]) / 2:
            ratios[at + 1] = nearest
    return ratios
