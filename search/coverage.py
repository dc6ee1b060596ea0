"""Coverage: the extremes of the grid that every study tries first."""

from __future__ import annotations

import math
from statistics import median

from model.architecture import Architecture
from search.grid import AXES, Grid

EXTREME_AXES = ("d_model", "n_layers", "n_heads")
PREFERRED_HEADS = 8


def extremes(grid: Grid) -> list[Architecture]:
    """Smallest and largest width, depth and head count, the other axes near the middle.

    The middle of an axis is the median, in logarithms, over the architectures
    that share the extreme value; head counts prefer 8.  Two extremes are the
    same architecture only where the grid has no other with that value.

    Returns
    -------
    list of Architecture
        At most six, without repetition.
    """
    chosen: list[Architecture] = []
    for axis in EXTREME_AXES:
        for end in (min, max):
            value = end(getattr(a, axis) for a in grid.architectures)
            candidates = [a for a in grid.architectures if getattr(a, axis) == value]
            fresh = [a for a in candidates if a not in chosen]
            if fresh:
                chosen.append(nearest_to_middle(fresh, axis))
    return chosen


def nearest_to_middle(candidates: list[Architecture], *fixed: str) -> Architecture:
    """Candidate whose axes, other than the fixed ones, are nearest to the candidates' middle."""
    others = [other for other in AXES if other not in fixed]
    middle = {other: median(math.log2(getattr(a, other)) for a in candidates) for other in others}
    if "n_heads" in middle:
        middle["n_heads"] = math.log2(PREFERRED_HEADS)

    def distance(architecture: Architecture) -> float:
        return sum(abs(math.log2(getattr(architecture, other)) - middle[other]) for other in others)

    return min(candidates, key=distance)
