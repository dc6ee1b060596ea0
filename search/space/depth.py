"""Limits of a budget: how deep a model of each width can be, on the grid or off it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from model.spec.architecture import Architecture, total_parameters
from model.spec.budget import Budget
from search.space.axes import WINDOW_AXES, Axes


@dataclass(frozen=True, kw_only=True, slots=True)
class DepthLimit:
    """Depths of one width and feed-forward ratio whose parameter count is within tolerance.

    Parameters
    ----------
    ff_ratio, d_model : int
        Feed-forward width as a multiple of the width; the width.
    smallest, largest : int
        Any whole number of layers counts, whether it is on the grid's axis or not; where the window is searched, of
        the window that allows the least, and of the one that allows the most.
    grid_depths : tuple of int
        The depths that the grid holds.
    n_architectures : int
        Architectures of the grid with this width and ratio.
    """

    ff_ratio: int
    d_model: int
    smallest: int
    largest: int
    grid_depths: tuple[int, ...]
    n_architectures: int


def depth_limits(budget: Budget, axes: Axes, architectures: Sequence[Architecture]) -> Iterator[DepthLimit]:
    """Limits for each ratio and width of the axes; widths of which no depth fits are left out.

    Parameters
    ----------
    budget : Budget
        Target count and tolerance.
    axes : Axes
        With every axis filled.
    architectures : sequence of Architecture
        The grid's, not empty.

    Examples
    --------
    >>> from search.space.grid import make_grid
    >>> grid = make_grid(Budget(text="20M"), n_features=25)
    >>> [(limit.d_model, limit.largest) for limit in depth_limits(grid.budget, grid.axes, grid.architectures)][:2]
    [(64, 746), (128, 188)]
    """
    windows = list({tuple(getattr(a, name) for name in WINDOW_AXES): a for a in architectures}.values())
    for ratio in axes.ff_ratio:
        for width in axes.d_model:
            one_layer = (replace(a, d_model=width, n_heads=1, n_layers=1, d_ff=ratio * width) for a in windows)
            limits = [_depths(budget, each) for each in one_layer]
            limits = [(smallest, largest) for smallest, largest in limits if smallest <= largest]
            if not limits:
                continue
            held = [a for a in architectures if (a.d_model, a.d_ff) == (width, ratio * width)]
            yield DepthLimit(
                ff_ratio=ratio,
                d_model=width,
                smallest=min(smallest for smallest, _ in limits),
                largest=max(largest for _, largest in limits),
                grid_depths=tuple(sorted({a.n_layers for a in held})),
                n_architectures=len(held),
            )


def _depths(budget: Budget, one_layer: Architecture) -> tuple[int, int]:
    """Smallest and largest depth within tolerance; the first exceeds the second where there is none.

    The count grows by the same number with each layer.  Whole numbers, so that
    the ends agree with :meth:`model.spec.budget.Budget.allows`.
    """
    first = total_parameters(one_layer)
    layer = total_parameters(replace(one_layer, n_layers=2)) - first
    margin = math.floor(budget.tolerance * budget.n_params)
    smallest = 1 - (first + margin - budget.n_params) // layer
    largest = 1 + (budget.n_params + margin - first) // layer
    return max(1, smallest), largest
