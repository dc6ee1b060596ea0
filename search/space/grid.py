"""The grid: every architecture within a budget's tolerance."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from typing import Any

from model.spec.architecture import Architecture, WindowedArchitecture, total_parameters
from model.spec.budget import Budget
from model.spec.migrations import identity
from model.spec.spec import flatten
from pipeline.exceptions import InputError
from search.space.axes import ALL_AXES, WINDOW_AXES, Axes, axis_text
from search.space.depth import depth_limits
from search.space.window import possible_windows, standard_window

AXES = ("d_model", "n_layers", "n_heads", "d_ff")
"""Dimensions in which the architectures of every grid may differ."""
DIMENSIONS = (*AXES, *WINDOW_AXES)
"""And those in which they differ where the window is searched."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Architectures of a budget, in the order of their dimensions.

    Parameters
    ----------
    budget : Budget
        Target count and tolerance.
    axes : Axes
        Values that were tried, none of them left to the budget.
    architectures : tuple of Architecture
        Never empty; identified by their dimensions, never by position.
    """

    budget: Budget
    axes: Axes
    architectures: tuple[Architecture, ...]

    @cached_property
    def dimensions(self) -> tuple[str, ...]:
        """Dimensions in which its architectures may differ: those of the window only where they do."""
        return (*AXES, *(name for name in WINDOW_AXES if len({getattr(a, name) for a in self.architectures}) > 1))

    @property
    def longest_context(self) -> int:
        """Most days that one of its architectures sees."""
        return max(a.context_length for a in self.architectures)

    @cached_property
    def hash(self) -> str:
        """12 hex digits over the budget and every architecture's dimensions."""
        named = set().union(*(identity(flatten(a)) for a in self.architectures))
        dimensions = [{name: value for name, value in asdict(a).items() if name in named} for a in self.architectures]
        text = repr((self.budget.n_params, self.budget.tolerance, dimensions))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def limits(self) -> dict[str, list[int]]:
        """Smallest and largest value of each axis and of the parameter count."""
        values = {axis: [getattr(a, axis) for a in self.architectures] for axis in self.dimensions}
        values["n_params"] = [total_parameters(a) for a in self.architectures]
        return {name: [min(found), max(found)] for name, found in values.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the form that ``patchscale grid --json`` prints."""
        return {
            "budget": self.budget.text,
            "tolerance": self.budget.tolerance,
            "n_features": self.architectures[0].n_features,
            "axes": {name: list(getattr(self.axes, name)) for name in ALL_AXES},
            "min_head_dim": self.axes.min_head_dim,
            "grid_hash": self.hash,
            "limits": self.limits(),
            "depth_limits": [asdict(limit) for limit in depth_limits(self.budget, self.axes, self.architectures)],
            "architectures": [
                {
                    "label": a.label,
                    **{axis: getattr(a, axis) for axis in self.dimensions},
                    "n_params": total_parameters(a),
                }
                for a in self.architectures
            ],
        }


def candidates(axes: Axes, *, n_features: int, **settings: Any) -> Iterator[Architecture]:
    """Every architecture on the axes whose heads are whole and wide enough, whatever its parameter count."""
    windows = possible_windows(axes, settings)
    kind = WindowedArchitecture if len(windows) > 1 else Architecture
    for d, n, h, ratio in product(axes.d_model, axes.n_layers, axes.n_heads, axes.ff_ratio):
        if d % h == 0 and d // h >= axes.min_head_dim:
            sizes = {**settings, "n_features": n_features, "d_model": d, "n_layers": n, "n_heads": h, "d_ff": d * ratio}
            yield from (kind(**{**sizes, **window}) for window in windows)


def make_grid(budget: Budget, *, n_features: int, axes: Axes | None = None, **settings: Any) -> Grid:
    """Enumerate every architecture whose exact parameter count is within tolerance.

    Parameters
    ----------
    budget : Budget
        Target count and tolerance; fills the axes that are empty, beside those of the window.
    n_features : int
        Features of the tier; the count depends on them.
    axes : Axes, optional
        Values to try; the standard ones of the budget if not given.
    **settings
        Of every architecture, beside its dimensions: see :class:`model.spec.architecture.Architecture`.

    Raises
    ------
    InputError
        If no architecture is within tolerance, no head count fits, or no combination of the window's axes is possible.

    Examples
    --------
    >>> grid = make_grid(Budget(text="2M"), n_features=25)
    >>> len(grid.architectures), grid.limits()["n_layers"]
    (65, [2, 64])
    >>> deep = make_grid(Budget(text="20M"), n_features=25, axes=Axes(n_layers=(160, 180)))
    >>> [a.label for a in deep.architectures][:2]
    ['d128-L160-h2-ff256', 'd128-L160-h4-ff256']
    """
    axes = (axes or Axes()).of(budget)
    found = list(candidates(axes, n_features=n_features, **settings))
    if not found:
        raise InputError(
            f"a head count must divide a width into heads of at least min_head_dim={axes.min_head_dim}, got d_model "
            f"{axis_text(axes.d_model)} and n_heads {axis_text(axes.n_heads)}; take fewer heads, wider models or a "
            "lower --min-head-dim"
        )
    allowed = tuple(a for a in found if budget.allows(total_parameters(a)))
    if not allowed:
        nearest = min(found, key=lambda a: abs(total_parameters(a) - budget.n_params))
        raise InputError(
            f"budget {budget.text} must have an architecture within ±{budget.tolerance * 100:g} %, got none with "
            f"{n_features} features; the nearest is {nearest.label} with {total_parameters(nearest):,} parameters: "
            "take another budget, a larger --tolerance or other axes"
        )
    return Grid(budget=budget, axes=axes.with_window(standard_window(settings)), architectures=allowed)
