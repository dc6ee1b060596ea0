"""Coverage: the extremes of the grid that every study tries first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from model.spec.architecture import Architecture
from search.space.assignment import assign
from search.space.grid import AXES, DIMENSIONS, Grid

EXTREME_AXES = ("d_model", "n_layers", "n_heads")
PREFERRED_HEADS = 8
HEADS_FIRST = 1e3
NOT_EXTREME = 1e9


def extreme_axes(grid: Grid) -> tuple[str, ...]:
    """Axes whose ends are tried first: width, depth, head count, and those of the window that are searched."""
    return (*EXTREME_AXES, *(name for name in grid.dimensions if name not in AXES))


def extremes(grid: Grid) -> list[Architecture]:
    """Smallest and largest value of each of the :func:`extreme_axes`, the other axes near the middle.

    The middle of an axis is the median, in logarithms, over the architectures
    that share the extreme value; head counts prefer 8, before anything else.
    Where one architecture is the nearest of two extremes, another takes its
    place in one of them, such that all are as near as they can be together
    (an assignment problem).  So there are two an axis unless the grid can't give so many.

    Returns
    -------
    list of Architecture
        At most two an axis, without repetition: smallest and largest width, then depth, then head count, and so on.
    """
    architectures = grid.architectures
    costs = [_distances(architectures, axis, end) for axis in extreme_axes(grid) for end in (0, -1)]
    return [architectures[column] for row, column in assign(costs) if costs[row][column] < NOT_EXTREME]


def nearest_to_middle(candidates: Sequence[Architecture], *fixed: str) -> Architecture:
    """Candidate whose axes, other than the fixed ones, are nearest to the candidates' middle."""
    return min(candidates, key=_distance_to_middle(candidates, *fixed))


def _distances(architectures: Sequence[Architecture], axis: str, end: int) -> list[float]:
    """How far each architecture is from the middle of those with the extreme value; the others out of reach."""
    value = sorted(getattr(a, axis) for a in architectures)[end]
    distance = _distance_to_middle([a for a in architectures if getattr(a, axis) == value], axis)
    return [distance(a) if getattr(a, axis) == value else NOT_EXTREME for a in architectures]


def _distance_to_middle(candidates: Sequence[Architecture], *fixed: str) -> Callable[[Architecture], float]:
    middle = {axis: median(math.log2(getattr(a, axis)) for a in candidates) for axis in DIMENSIONS if axis not in fixed}
    weights = dict.fromkeys(middle, 1.0)
    if "n_heads" in middle:
        middle["n_heads"], weights["n_heads"] = math.log2(PREFERRED_HEADS), HEADS_FIRST

    def distance(architecture: Architecture) -> float:
        return sum(weights[axis] * abs(math.log2(getattr(architecture, axis)) - middle[axis]) for axis in middle)

    return distance
