"""The proof that no label of one split looks at a day that a label of another looks at."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import numpy.typing as npt

Index = npt.NDArray[np.int64]


def assert_disjoint_labels(parts: Mapping[str, Index], horizon: int) -> None:
    """Assert that parts are in order of time and that their labels share no row.

    A label of row t looks at rows t+1 to t+horizon.  They are listed and
    compared one by one: nothing is assumed of how the parts were made.

    Parameters
    ----------
    parts : mapping
        Row numbers of each part's samples, ascending, in order of time; an empty part has nothing to prove.
    horizon : int
        Sessions that a label looks ahead.

    Examples
    --------
    >>> assert_disjoint_labels({"train": np.array([0, 1, 2]), "test": np.array([5, 6])}, horizon=3)
    >>> assert_disjoint_labels({"train": np.array([0, 1, 3]), "test": np.array([5, 6])}, horizon=3)
    Traceback (most recent call last):
    AssertionError: a label reaches into the next split: 1 rows of train and test
    """
    held = {name: rows for name, rows in parts.items() if len(rows)}
    seen = {name: np.unique(rows[:, None] + np.arange(1, horizon + 1)) for name, rows in held.items()}
    for one, other in combinations(held, 2):
        shared = len(np.intersect1d(seen[one], seen[other]))
        assert not shared, f"a label reaches into the next split: {shared} rows of {one} and {other}"
        assert held[one][-1] < held[other][0], f"{one} must end before {other} starts"
