"""The proof that no label of one split looks at a day that a label of another looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

Index = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelSpan:
    """Rows that one part's labels look at, from the day after its first forecast on.

    Parameters
    ----------
    part : str
        Name of the part.
    samples : int
        Number of forecasts.
    first_forecast, last_forecast : int
        Rows of the first and the last forecast day.
    first_seen, last_seen : int
        First and last row that a label looks at.
    """

    part: str
    samples: int
    first_forecast: int
    last_forecast: int
    first_seen: int
    last_seen: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitProof:
    """What was checked: each part's label span, and that every pair shares no row.

    Parameters
    ----------
    horizon : int
        Sessions that a label looks ahead.
    spans : tuple of LabelSpan
        In order of time.
    shared : mapping
        For each pair of parts, how many rows labels of both look at; all zero.
    """

    horizon: int
    spans: tuple[LabelSpan, ...]
    shared: Mapping[tuple[str, str], int]

    def text(self) -> str:
        """One line a part, one line a pair."""
        lines = [
            f"{span.part}: {span.samples:,} forecasts, rows {span.first_forecast}-{span.last_forecast}; "
            f"labels look at rows {span.first_seen}-{span.last_seen}"
            for span in self.spans
        ]
        lines += [f"{one} and {other}: {count} rows shared" for (one, other), count in self.shared.items()]
        return "\n".join(lines)


def prove_disjoint(parts: Mapping[str, Index], horizon: int) -> SplitProof:
    """Prove that parts are in order of time and that their labels share no row.

    A label of row t looks at rows t+1 to t+horizon.  They are listed and
    compared one by one: nothing is assumed of how the parts were made.

    Parameters
    ----------
    parts : mapping
        Row numbers of each part's samples, ascending, in order of time.
    horizon : int
        Sessions that a label looks ahead.

    Examples
    --------
    >>> proof = prove_disjoint({"train": np.array([0, 1, 2]), "test": np.array([5, 6])}, horizon=3)
    >>> print(proof.text())
    train: 3 forecasts, rows 0-2; labels look at rows 1-5
    test: 2 forecasts, rows 5-6; labels look at rows 6-9
    train and test: 0 rows shared
    >>> prove_disjoint({"train": np.array([0, 1, 3]), "test": np.array([5, 6])}, horizon=3)
    Traceback (most recent call last):
    AssertionError: a label reaches into the next split: 1 rows of train and test
    """
    held = {name: rows for name, rows in parts.items() if len(rows)}
    seen = {name: np.unique(rows[:, None] + np.arange(1, horizon + 1)) for name, rows in held.items()}
    shared = {}
    for one, other in combinations(held, 2):
        shared[one, other] = len(np.intersect1d(seen[one], seen[other]))
        assert not shared[one, other], (
            f"a label reaches into the next split: {shared[one, other]} rows of {one} and {other}"
        )
        assert held[one][-1] < held[other][0], f"{one} must end before {other} starts"
    spans = tuple(
        LabelSpan(
            part=name,
            samples=len(rows),
            first_forecast=int(rows[0]),
            last_forecast=int(rows[-1]),
            first_seen=int(seen[name][0]),
            last_seen=int(seen[name][-1]),
        )
        for name, rows in held.items()
    )
    return SplitProof(horizon=horizon, spans=spans, shared=shared)
