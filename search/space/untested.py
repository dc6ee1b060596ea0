"""Gaps: what of a grid no trial has tested, and the few architectures that would fill it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from model.spec.architecture import Architecture
from pipeline.exceptions import InputError
from search.space.counts import plain_count
from search.space.extremes import extreme_axes, extremes, nearest_to_middle
from search.space.grid import DIMENSIONS, Grid

Point = tuple[str, int]


def axis_counts(grid: Grid, tested: Collection[Architecture]) -> dict[str, dict[int, int]]:
    """Count the tested architectures at every value that an axis of the grid has.

    Examples
    --------
    >>> from model.spec.budget import Budget
    >>> from search.space.grid import make_grid
    >>> grid = make_grid(Budget(text="5K"), n_features=25)
    >>> axis_counts(grid, grid.architectures[:1])["n_layers"]
    {2: 1, 3: 0, 4: 0, 6: 0}
    """
    counts = {axis: Counter(getattr(a, axis) for a in tested) for axis in grid.dimensions}
    values = {axis: sorted({getattr(a, axis) for a in grid.architectures}) for axis in grid.dimensions}
    return {axis: {value: counts[axis][value] for value in values[axis]} for axis in grid.dimensions}


def ends_in_words(grid: Grid, architecture: Architecture) -> str:
    """Say which ends of the grid an architecture stands on: ``smallest d_model, largest n_layers``."""
    limits = grid.limits()
    words = [
        f"{word} {axis}"
        for axis in extreme_axes(grid)
        for word, limit in zip(("smallest", "largest"), limits[axis], strict=True)
        if getattr(architecture, axis) == limit and limits[axis][0] < limits[axis][1]
    ]
    return ", ".join(words)


def find_gaps(grid: Grid, tested: Collection[Architecture]) -> list[Architecture]:
    """Choose few architectures that test everything which is not tested yet.

    First the extremes that are missing, then, as long as a value of an axis is
    untested, the architecture that tests most such values; among equals the one
    nearest to the middle.

    Returns
    -------
    list of Architecture
        Empty if every extreme and every value of every axis was tested.
    """
    chosen = [extreme for extreme in extremes(grid) if extreme not in tested]
    missing = _points(grid.architectures) - _points(tested) - _points(chosen)
    while missing:
        covers = {a: len(missing & _points([a])) for a in grid.architectures}
        most = max(covers.values())
        assert most > 0
        chosen.append(nearest_to_middle([a for a, count in covers.items() if count == most]))
        missing -= _points(chosen)
    return chosen


def find_wanted(grid: Grid, tested: Collection[Architecture], wanted: Mapping[str, int]) -> Architecture | None:
    """Choose the architecture nearest to the middle that has these values, unless one of them was tested.

    Raises
    ------
    InputError
        If no architecture of the grid has them.
    """
    candidates = _having(grid.architectures, wanted)
    if not candidates:
        raise InputError(_not_there(grid, wanted))
    return None if _having(tested, wanted) else nearest_to_middle(candidates, *wanted)


def read_where(text: str) -> dict[str, int]:
    """Read ``axis=value[,axis=value]``.

    Examples
    --------
    >>> read_where("n_layers=64,n_heads=8")
    {'n_layers': 64, 'n_heads': 8}
    """
    wanted: dict[str, int] = {}
    for part in text.split(","):
        axis, _, value = (each.strip() for each in part.partition("="))
        if axis not in DIMENSIONS or axis in wanted or (number := plain_count(value)) is None:
            raise InputError(
                f"where must be axis=value with an axis of {', '.join(DIMENSIONS)}, each once, got {text!r}"
            )
        wanted[axis] = number
    return wanted


def _points(architectures: Collection[Architecture]) -> set[Point]:
    return {(axis, getattr(a, axis)) for a in architectures for axis in DIMENSIONS}


def _having(architectures: Collection[Architecture], wanted: Mapping[str, int]) -> list[Architecture]:
    return [a for a in architectures if all(getattr(a, axis) == value for axis, value in wanted.items())]


def _not_there(grid: Grid, wanted: Mapping[str, int]) -> str:
    """Say which of the wanted values can't be had, and what can be had instead."""
    got = ", ".join(f"{axis}={value}" for axis, value in wanted.items())
    rule = f"where must have an architecture in the grid of {grid.budget.text}, got {got}"
    for axis, value in wanted.items():
        others = {other: chosen for other, chosen in wanted.items() if other != axis}
        possible = sorted({getattr(a, axis) for a in _having(grid.architectures, others)})
        if possible and value not in possible:
            beside = "".join(f" with {other}={chosen}" for other, chosen in others.items())
            return f"{rule}; {axis}{beside} can be {', '.join(map(str, possible))}"
    return f"{rule}; see patchscale grid {grid.budget.text}"
