"""The plan: what all trials of a study share, fixed when the study is made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from model.spec.architecture import Architecture
from model.spec.budget import Budget
from model.spec.spec import Data, Spec, Training, flatten
from pipeline.exceptions import InputError
from pipeline.splits.splits import Split
from pipeline.splits.target import Target
from search.space.axes import AXIS_NAMES, Axes, read_axis
from search.space.grid import Grid, make_grid

DATA_DIRECTORY = "data"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What all trials of a study share.

    Parameters
    ----------
    study : str
        Name of the study.
    data, target, split
        As in :class:`model.spec.spec.Spec`.
    budget, tolerance
        Parameter budget and allowed deviation.
    d_model_axis, n_layers_axis, n_heads_axis, ff_ratio_axis : str
        Values of the grid's axes, separated by commas.
    min_head_dim : int
        Narrowest attention head.
    grid_hash : str
        Of the architectures searched.
    n_features : int
        Features of the tier.
    max_epochs, patience : int
        Of every trial.
    offset, instance_norm : str
        Of every trial: see :class:`model.spec.spec.Training` and :class:`model.spec.architecture.Architecture`.
    seed : int
        Of the sampler and of every trial.
    """

    study: str
    data: Data
    target: Target
    split: Split
    budget: str
    tolerance: float
    d_model_axis: str
    n_layers_axis: str
    n_heads_axis: str
    ff_ratio_axis: str
    min_head_dim: int
    grid_hash: str
    n_features: int
    max_epochs: int
    patience: int
    offset: str
    instance_norm: str
    seed: int

    @property
    def experiment(self) -> str:
        """MLflow experiment: one for each ticker and target, so that budgets compare in it."""
        return f"patchscale-{self.data.ticker}-{self.target.name}"

    def grid(self) -> Grid:
        """Architectures of the budget; asserts that they are the ones of the plan."""
        axes = Axes(
            **{name: read_axis(name, getattr(self, f"{name}_axis")) for name in AXIS_NAMES},
            min_head_dim=self.min_head_dim,
        )
        grid = _grid(Budget(text=self.budget, tolerance=self.tolerance), axes, self.n_features, self.instance_norm)
        if grid.hash != self.grid_hash:
            raise InputError(
                f"study {self.study} was made on grid {self.grid_hash}, got grid {grid.hash} from this code; "
                "start a new study with --study NAME"
            )
        return grid

    def spec(self, architecture: Architecture, training: dict[str, float | int]) -> Spec:
        """Spec of one trial."""
        return Spec(
            data=self.data,
            target=self.target,
            split=self.split,
            architecture=architecture,
            training=Training(
                max_epochs=self.max_epochs,
                patience=self.patience,
                offset=self.offset,
                **training,  # type: ignore[arg-type]
            ),
            budget=self.budget,
            tolerance=self.tolerance,
            seed=self.seed,
        )

    def differences(self, other: Plan) -> list[str]:
        """Name the fields in which this stored plan and a new one differ, with both values."""
        mine, theirs = dict(flatten(self)), dict(flatten(other))
        return [f"{name} {mine[name]} there, {theirs[name]} here" for name in mine if mine[name] != theirs[name]]


@cache
def _grid(budget: Budget, axes: Axes, n_features: int, instance_norm: str) -> Grid:
    return make_grid(budget, n_features=n_features, axes=axes, instance_norm=instance_norm)
