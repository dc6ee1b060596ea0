"""The plan: what all trials of a study share, fixed when the study is made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from model.spec.architecture import NO_HORIZONS, Architecture
from model.spec.budget import Budget
from model.spec.spec import Data, Spec, Training, field_names, flatten, read_fields
from pipeline.exceptions import InputError
from pipeline.splits.splits import Split
from pipeline.splits.target import Target
from search.space.axes import AXIS_NAMES, WINDOW_AXES, Axes, read_axis
from search.space.drawn import TRAINING, in_order, read_range_text, usual_value
from search.space.grid import AXES, Grid, make_grid
from search.space.ranks import SearchSpace
from search.study.named_values import differing_values, read_values, write_values

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DATA_DIRECTORY, PREFIX = "data", "patchscale-"
SEVERAL_VALUES = ("search_ranges", "fixed_settings")


def experiment_name(ticker: str, target: Target) -> str:
    """Name the experiment and the registered model of a ticker and target.

    Examples
    --------
    >>> experiment_name("SPY", Target(horizon=3))
    'patchscale-SPY-h3'
    """
    return f"{PREFIX}{ticker}-{target.name}"


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
    offset, instance_norm, head, blend, init : str
    first_epoch : int
        Of every trial: see :class:`model.spec.spec.Training` and :class:`model.spec.architecture.Architecture`.
    seed : int
        Of the sampler and of every trial.
    n_folds, n_seeds : int
        Of every trial: see :class:`model.spec.spec.Spec`.
    search_ranges : str
        Of the training settings that are searched: ``dropout=float 0.0 to 0.5,…``.
    space_hash : str
        Of the name, kind and range of everything that the sampler draws.
    fixed_settings : str
        What else determines a trial: ``beta1=0.9,…``; several values of the window, separated by blanks, are axes of
        the grid.
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
    head: str
    blend: str
    init: str
    first_epoch: int
    seed: int
    n_folds: int
    n_seeds: int
    search_ranges: str
    space_hash: str
    fixed_settings: str

    @property
    def experiment(self) -> str:
        """MLflow experiment: one for each ticker and target, so that budgets compare in it."""
        return experiment_name(self.data.ticker, self.target)

    @property
    def ahead(self) -> tuple[int, ...]:
        """Horizons that a distribution forecasts, in days; none for a binary head."""
        horizons = read_values(self.fixed_settings).get("horizons", NO_HORIZONS)
        return () if horizons == NO_HORIZONS else tuple(map(int, horizons.split()))

    def grid(self) -> Grid:
        """Architectures of the budget; asserts that they are the ones of the plan."""
        grid = self._enumerate()
        if grid.hash != self.grid_hash:
            raise InputError(
                f"study {self.study} was made on grid {self.grid_hash}, got grid {grid.hash} from this code; "
                "start a new study with --study NAME"
            )
        return grid

    def with_settings(self, fixed_settings: str, named: Collection[str] = ()) -> Plan:
        """Return the plan with the fixed settings of a study that is there: it keeps its own.

        Parameters
        ----------
        fixed_settings : str
            Of the study.
        named : collection of str
            Settings that an option names: they stay as they are here, and so does an axis where the study searches one.
        """
        here, there = read_values(self.fixed_settings), read_values(fixed_settings)
        searched = {name for name in WINDOW_AXES if len(there.get(name, "").split()) > 1}
        own = {name: here[name] for name in here if name in searched.union(named)}
        settings = {name: value for name, value in {**here, **there, **own}.items() if name not in self.drawn}
        if settings == here:
            return self
        kept = replace(self, fixed_settings=write_values(settings))
        grid = kept._enumerate()
        return replace(kept, grid_hash=grid.hash, space_hash=SearchSpace(grid, kept.ranges).hash)

    def _enumerate(self) -> Grid:
        held = read_values(self.fixed_settings)
        window = {name: tuple(map(int, held.pop(name).split())) for name in WINDOW_AXES}
        if all(len(values) == 1 for values in window.values()):
            held |= {name: str(value) for name, (value,) in window.items()}
            window = {}
        axes = Axes(
            **{name: read_axis(name, getattr(self, f"{name}_axis")) for name in AXIS_NAMES},
            **window,
            min_head_dim=self.min_head_dim,
        )
        kept = read_fields(Architecture, held)
        settings = {"instance_norm": self.instance_norm, "head": self.head, **kept}
        budget = Budget(text=self.budget, tolerance=self.tolerance)
        return _grid(budget, axes, self.n_features, tuple(sorted(settings.items())))

    @property
    def context_length(self) -> int:
        """Most days that a model sees: after so many there are training rows for all of them."""
        return self.grid().longest_context

    @property
    def drawn(self) -> tuple[str, ...]:
        """Training settings that are searched."""
        return tuple(read_values(self.search_ranges))

    def space(self) -> SearchSpace:
        """Return what the sampler draws from: the ranges that the study was made with, or none.

        Raises
        ------
        InputError
            If they are not known: the trials of a first study were drawn from several, or the code ranks otherwise.
        """
        held = read_values(self.search_ranges)
        unclear = [f"{name} {held[name]}" for name in held if read_range_text(held[name]) is None]
        space = SearchSpace(self.grid(), self.ranges)
        if unclear or space.hash != self.space_hash:
            other = unclear or [f"{self.space_hash} there, {space.hash} here"]
            raise InputError(
                f"study {self.study} can only be searched in the ranges that it was made with, got {'; '.join(other)}; "
                "start a new study with --study NAME"
            )
        return space

    @property
    def ranges(self) -> Mapping[str, BaseDistribution]:
        """Distributions of the training settings that are searched, as far as each has one range."""
        return _read_ranges(self.search_ranges)

    def drawn_of(self, training: Training) -> dict[str, Any]:
        """Values that a training has of the settings that are searched."""
        return {name: getattr(training, name) for name in self.drawn}

    def spec(self, architecture: Architecture, training: Mapping[str, float | int]) -> Spec:
        """Spec of one trial; what of the searched settings is not given is as in forced trials."""
        fixed = read_fields(Training, read_values(self.fixed_settings))
        ranges = self.ranges
        usual = {name: usual_value(name, ranges.get(name)) for name in self.drawn if name not in training}
        own = {
            name: getattr(self, name) for name in ("max_epochs", "patience", "offset", "blend", "init", "first_epoch")
        }
        return Spec(
            data=self.data,
            target=self.target,
            split=self.split,
            architecture=architecture,
            training=Training(**{**fixed, **usual, **own, **training}),
            budget=self.budget,
            tolerance=self.tolerance,
            seed=self.seed,
            n_folds=self.n_folds,
            n_seeds=self.n_seeds,
        )

    def differences(self, other: Plan) -> list[str]:
        """Name the fields in which this stored plan and a new one differ, with both values."""
        mine, theirs = dict(flatten(self)), dict(flatten(other))
        different = [
            f"{name} {mine[name]} there, {theirs[name]} here"
            for name in mine
            if mine[name] != theirs[name] and name not in (*SEVERAL_VALUES, "space_hash")
        ]
        different += differing_values(*(_all_settings(each) for each in (mine, theirs)))
        if not different and self.space_hash != other.space_hash:
            different = [f"space_hash {self.space_hash} there, {other.space_hash} here"]
        return different


def unsearched(drawn: Collection[str] = tuple(TRAINING)) -> set[str]:
    """Fields of an architecture and a training that are not drawn and that the plan has no field for."""
    return {*field_names(Architecture), *field_names(Training)} - {*field_names(Plan), *AXES, *drawn}


def _all_settings(plan: Mapping[str, str]) -> str:
    """Write the fixed settings and the ranges of the others of a flattened plan."""
    return write_values({name: value for part in SEVERAL_VALUES for name, value in read_values(plan[part]).items()})


@cache
def _read_ranges(search_ranges: str) -> Mapping[str, BaseDistribution]:
    known = {name: read_range_text(text) for name, text in read_values(search_ranges).items()}
    return in_order({name: each for name, each in known.items() if each is not None})


@cache
def _grid(budget: Budget, axes: Axes, n_features: int, settings: tuple[tuple[str, Any], ...]) -> Grid:
    return make_grid(budget, n_features=n_features, axes=axes, **dict(settings))
