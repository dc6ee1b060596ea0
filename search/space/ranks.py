"""The search space: what Optuna sees of a spec, with distributions that never change.

Architectures of a budget do not fill a box: each width allows its own depths.
Optuna is given one ordinal rank an axis.  A rank is scaled to the values that
are possible once the axes before it are chosen, so every combination of ranks
is a valid architecture, and neighbours in rank are neighbours in size.  The
record holds dimensions only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from model.spec.architecture import BINARY, Architecture
from search.space.grid import Grid

TRAINING: Mapping[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(3e-5, 3e-3, log=True),
    "weight_decay": FloatDistribution(1e-3, 0.3, log=True),
    "warmup_fraction": FloatDistribution(0.0, 0.3),
    "dropout": FloatDistribution(0.0, 0.5),
    "batch_size": IntDistribution(64, 256, step=64),
}
"""Of a binary head."""

DISTRIBUTION_TRAINING: Mapping[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(3e-5, 3e-3, log=True),
    "weight_decay": FloatDistribution(1e-2, 1.0, log=True),
    "warmup_fraction": FloatDistribution(0.0, 0.5),
    "dropout": FloatDistribution(0.1, 0.6),
    "batch_size": IntDistribution(128, 512, step=128),
}
"""Of a distribution: the same parameters, about what is known to serve it."""


def training_ranges(head: str) -> Mapping[str, BaseDistribution]:
    """Ranges of the searched training parameters of an architecture's head."""
    return TRAINING if head == BINARY else DISTRIBUTION_TRAINING


class SearchSpace:
    """Ranks to architectures and back, for one grid.

    Parameters
    ----------
    grid : Grid
        The budget's architectures.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.training = training_ranges(grid.architectures[0].head)
        self._n_ranks = {axis: self._most_options(i) for i, axis in enumerate(grid.dimensions)}

    def distributions(self) -> dict[str, BaseDistribution]:
        """Every searched parameter's distribution, fixed by the grid."""
        ranks = {f"{axis}_rank": IntDistribution(0, n - 1) for axis, n in self._n_ranks.items()}
        return {**ranks, **self.training}

    @property
    def hash(self) -> str:
        """12 hex digits over the name, kind and range of everything that a sampler draws."""
        return space_hash(range_texts(self.distributions()))

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


def range_text(distribution: BaseDistribution) -> str:
    """Write a range as a reader would.

    Examples
    --------
    >>> range_text(TRAINING["learning_rate"]), range_text(TRAINING["batch_size"])
    ('float 3e-05 to 0.003 log', 'int 64 to 256 step 64')
    """
    if isinstance(distribution, CategoricalDistribution):
        return "one of " + " ".join(map(str, distribution.choices))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    kind = "float" if isinstance(distribution, FloatDistribution) else "int"
    stepped = f" step {distribution.step}" if distribution.step not in (None, 1) else ""
    return f"{kind} {distribution.low} to {distribution.high}{' log' if distribution.log else ''}{stepped}"


def range_texts(distributions: Mapping[str, BaseDistribution]) -> dict[str, str]:
    """Ranges in words, by parameter."""
    return {name: range_text(each) for name, each in distributions.items()}
