"""The tabulated response surface: validation loss of every architecture of a small budget, really trained.

``response_surface.csv`` holds one training a row; ``make_surface`` wrote it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from model.spec.architecture import Architecture
from model.spec.budget import Budget
from search.space.axes import Axes
from search.space.grid import AXES, Grid, make_grid

PATH = Path(__file__).with_name("response_surface.csv")
BUDGET = Budget(text="30K")
SURFACE_AXES = Axes(
    d_model=(16, 20, 24, 28, 32, 40, 48),
    n_layers=(1, 2, 3, 4, 6, 8, 12),
    n_heads=(1, 2, 4, 8),
    ff_ratio=(2, 4),
    min_head_dim=4,
)
N_FEATURES = 25
LEARNING_RATES = (6.5e-5, 3e-4, 1.4e-3)
DROPOUTS = (0.125, 0.375)
KEYS = (*AXES, "learning_rate", "dropout")
COLUMNS = (*KEYS, "seed", "loss", "seconds")


def surface_grid() -> Grid:
    """Architectures of the table."""
    return make_grid(BUDGET, n_features=N_FEATURES, axes=SURFACE_AXES)


@dataclass(frozen=True)
class Surface:
    """Mean loss over the seeds of each architecture, learning rate and dropout.

    Parameters
    ----------
    losses : dict
        By width, depth, heads, feed-forward width, learning rate and dropout.
    n_seeds : int
        Trainings that each loss is the mean of.
    """

    losses: dict[tuple[float, ...], float]
    n_seeds: int

    @classmethod
    def read(cls, path: Path = PATH) -> Surface:
        """Read the table and check that nothing is missing."""
        table = pd.read_csv(path, comment="#")
        grouped = table.groupby(list(KEYS))["loss"]
        n_seeds = int(table["seed"].nunique())
        wanted = len(surface_grid().architectures) * len(LEARNING_RATES) * len(DROPOUTS)
        if len(grouped) != wanted or set(grouped.count()) != {n_seeds}:
            raise SystemExit(f"{path.name} must hold {wanted} cells with as many seeds each; run make_surface again")
        losses = {tuple(map(float, key)): float(loss) for key, loss in grouped.mean().items()}
        return cls(losses=losses, n_seeds=n_seeds)

    def cell(self, architecture: Architecture, learning_rate: float, dropout: float) -> tuple[float, ...]:
        """Key of the nearest tabulated learning rate (in logarithms) and dropout."""
        nearest_rate = min(LEARNING_RATES, key=lambda rate: abs(np.log(rate / learning_rate)))
        nearest_dropout = min(DROPOUTS, key=lambda value: abs(value - dropout))
        return (*(float(getattr(architecture, axis)) for axis in AXES), nearest_rate, nearest_dropout)
