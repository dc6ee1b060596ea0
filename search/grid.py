"""The grid: every architecture within a budget's tolerance."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from typing import Any

from model.architecture import Architecture, total_parameters
from model.budget import Budget
from pipeline.exceptions import InputError

WIDTHS = (64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
DEPTHS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 180, 192, 256)
HEADS = (2, 4, 8, 16, 32)
FEED_FORWARD_RATIOS = (2, 4)
SMALL_BUDGET = 1_000_000
SMALL_WIDTHS, SMALL_DEPTHS, SMALL_HEADS = (8, 16, 32), (1,), (1,)
MIN_HEAD_DIM = 8
AXES = ("d_model", "n_layers", "n_heads", "d_ff")


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Architectures of a budget, in the order of their dimensions.

    Parameters
    ----------
    budget : Budget
        Target count and tolerance.
    architectures : tuple of Architecture
        Never empty; identified by their dimensions, never by position.
    """

    budget: Budget
    architectures: tuple[Architecture, ...]

    @cached_property
    def hash(self) -> str:
        """12 hex digits over the budget and every architecture's dimensions."""
        text = repr((self.budget.n_params, self.budget.tolerance, [asdict(a) for a in self.architectures]))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def limits(self) -> dict[str, list[int]]:
        """Smallest and largest value of each axis and of the parameter count."""
        values = {axis: [getattr(a, axis) for a in self.architectures] for axis in AXES}
        values["n_params"] = [total_parameters(a) for a in self.architectures]
        return {name: [min(found), max(found)] for name, found in values.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the form that ``patchscale grid --json`` prints."""
        return {
            "budget": self.budget.text,
            "grid_hash": self.hash,
            "limits": self.limits(),
            "architectures": [
                {"label": a.label, **{axis: getattr(a, axis) for axis in AXES}, "n_params": total_parameters(a)}
                for a in self.architectures
            ],
        }


def make_grid(budget: Budget, *, n_features: int, min_head_dim: int = MIN_HEAD_DIM) -> Grid:
    """Enumerate every architecture whose exact parameter count is within tolerance.

    Parameters
    ----------
    budget : Budget
        Below 1M the axes also hold small widths, one layer and one head.
    n_features : int
        Features of the tier; the count depends on them.
    min_head_dim : int
        Narrowest attention head.

    Raises
    ------
    InputError
        If no architecture is within tolerance.

    Examples
    --------
    >>> grid = make_grid(Budget(text="2M"), n_features=25)
    >>> len(grid.architectures), grid.limits()["n_layers"]
    (65, [2, 64])
    """
    small = budget.n_params < SMALL_BUDGET
    widths: Sequence[int] = (*SMALL_WIDTHS, *WIDTHS) if small else WIDTHS
    depths: Sequence[int] = (*SMALL_DEPTHS, *DEPTHS) if small else DEPTHS
    heads: Sequence[int] = (*SMALL_HEADS, *HEADS) if small else HEADS
    found = [
        Architecture(n_features=n_features, d_model=d, n_layers=n, n_heads=h, d_ff=d * ratio)
        for d, n, h, ratio in product(widths, depths, heads, FEED_FORWARD_RATIOS)
        if d % h == 0 and d // h >= min_head_dim
    ]
    allowed = tuple(a for a in found if budget.allows(total_parameters(a)))
    if not allowed:
        nearest = min(found, key=lambda a: abs(total_parameters(a) - budget.n_params))
        raise InputError(
            f"budget {budget.text} must have an architecture within ±{budget.tolerance * 100:g} %, got none with "
            f"{n_features} features; the nearest is {nearest.label} with {total_parameters(nearest):,} parameters"
        )
    return Grid(budget=budget, architectures=allowed)
