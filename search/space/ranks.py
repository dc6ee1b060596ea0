"""The search space: what Optuna sees of a spec, with distributions that never change.

Architectures of a budget do not fill a box: each width allows its own depths.
Optuna is given one ordinal rank an axis.  A rank is scaled to the values that
are possible once the axes before it are chosen, so every combination of ranks
is a valid architecture, and neighbours in rank are neighbours in size.  The
record holds dimensions only.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, IntDistribution

from model.spec.architecture import Architecture
from search.space.drawn import TRAINING as TRAINING
from search.space.drawn import n_values, range_texts, training_ranges, usual_value
from search.space.grid import Grid
from search.space.ranges import Number


class SearchSpace:
    """Ranks to architectures and back, for one grid.

    Parameters
    ----------
    grid : Grid
        The budget's architectures.
    training : mapping, optional
        Distributions of the training settings that are drawn, in their order; the usual ones of the head if not given.
    """

    def __init__(self, grid: Grid, training: Mapping[str, BaseDistribution] | None = None) -> None:
        self.grid = grid
        self.training = training_ranges(grid.architectures[0].head) if training is None else training
        self._n_ranks = {axis: self._most_options(i) for i, axis in enumerate(grid.dimensions)}

    def distributions(self) -> dict[str, BaseDistribution]:
        """Every searched parameter's distribution, fixed by the grid and the training ranges."""
        ranks = {f"{axis}_rank": IntDistribution(0, n - 1) for axis, n in self._n_ranks.items()}
        return {**ranks, **self.training}

    @property
    def hash(self) -> str:
        """12 hex digits over the name, kind and range of everything that a sampler draws."""
        return space_hash(range_texts(self.distributions()))

    @property
    def n_specs(self) -> int | None:
        """How many different specs can be drawn; None where there is no end of them."""
        sizes = [n_values(each) for each in self.training.values()]
        return None if None in sizes else math.prod([len(self.grid.architectures), *filter(None, sizes)])

    def usual_training(self) -> dict[str, Number]:
        """Training that forced trials have."""
        return {name: usual_value(name, each) for name, each in self.training.items()}

    def describe(self) -> dict[str, Any]:
        """Return the space in words that a person can read: values and ranges."""
        axes = {axis: sorted({getattr(a, axis) for a in self.grid.architectures}) for axis in self.grid.dimensions}
        ranges = {name: str(distribution) for name, distribution in self.training.items()}
        return {"architectures": len(self.grid.architectures), **axes, **ranges}

    def decode(self, params: Mapping[str, Any]) -> Architecture:
        """Architecture of a combination of ranks."""
        remaining = list(self.grid.architectures)
        for axis in self.grid.dimensions:
            options = sorted({getattr(a, axis) for a in remaining})
            value = options[params[f"{axis}_rank"] * len(options) // self._n_ranks[axis]]
            remaining = [a for a in remaining if getattr(a, axis) == value]
        assert len(remaining) == 1
        return remaining[0]

    def encode(self, architecture: Architecture) -> dict[str, int]:
        """Smallest ranks that :meth:`decode` to this architecture."""
        remaining = list(self.grid.architectures)
        ranks = {}
        for axis in self.grid.dimensions:
            options = sorted({getattr(a, axis) for a in remaining})
            position = options.index(getattr(architecture, axis))
            ranks[f"{axis}_rank"] = -(-position * self._n_ranks[axis] // len(options))
            remaining = [a for a in remaining if getattr(a, axis) == getattr(architecture, axis)]
        assert self.decode(ranks) == architecture
        return ranks

    def _most_options(self, axis_number: int) -> int:
        axis, earlier = self.grid.dimensions[axis_number], self.grid.dimensions[:axis_number]
        groups: dict[tuple[int, ...], set[int]] = {}
        for a in self.grid.architectures:
            groups.setdefault(tuple(getattr(a, name) for name in earlier), set()).add(getattr(a, axis))
        return max(len(values) for values in groups.values())


def space_hash(ranges: Mapping[str, str]) -> str:
    """12 hex digits over the name and range of each parameter that a sampler draws."""
    return hashlib.sha256(repr(sorted(ranges.items())).encode()).hexdigest()[:12]
