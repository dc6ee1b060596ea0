"""The way to a plan: what a user asked, resolved against the data of today."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from model.spec.budget import DEFAULT_TOLERANCE
from model.spec.choices import NONE
from model.spec.spec import Data, Training, flatten
from pipeline.calendars import calendar_of
from pipeline.datasets.build import build_dataset
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import InputError
from pipeline.snapshots.pull import pull
from pipeline.snapshots.snapshot import Snapshot, latest_snapshots
from pipeline.sources import Source, open_source
from pipeline.splits.base_rates import base_rates
from pipeline.splits.ends import read_ends
from pipeline.splits.folded import folded_split
from pipeline.splits.splits import Split, parse_split, require_test_days, split_rows
from pipeline.tiers import auxiliary_tickers
from search.space.axes import AXIS_NAMES, WINDOW_AXES, Axes, axis_text
from search.space.drawn import range_texts, training_ranges
from search.space.grid import Grid, make_grid
from search.space.ranks import SearchSpace
from search.space.window import standard_window
from search.study.named_values import write_values
from search.study.plan import Plan, unsearched
from search.study.recipe import fixed_architecture, fixed_training, settled, variant_names
from search.study.request import AUTO, HpoRequest
from search.study.tried import require_enough_specs
from search.study.values import NAME_LETTERS, study_name

CHANGING_SOURCES = ("yahoo",)


def make_plan(request: HpoRequest, *, root: Path) -> tuple[Plan, DatasetVersion]:
    """Resolve what a user asked into a plan, building the dataset version on the way.

    Nothing is written to MLflow or Optuna; only snapshot and dataset version
    are stored, under ``root``.

    Raises
    ------
    InputError
        Naming the first rule that a value breaks.
    """
    provider = open_source(request.source)
    request = settled(request, provider)
    name, tier = study_name("study", request.study), request.tier
    target, budget = request.target, request.size
    training, settings = fixed_training(request), fixed_architecture(request)
    grid = make_grid(budget, axes=request.axes, **settings)
    snapshot, *auxiliary = (
        _snapshot(root, provider, each)
        for each in (request.ticker or provider.default_ticker, *auxiliary_tickers(tier))
    )
    build = partial(build_dataset, root, tier=tier, auxiliary=auxiliary, accepted=request.accept)
    dataset = build(snapshot)
    pooled = [build(_snapshot(root, provider, each)) for each in request.train_tickers if each != dataset.ticker]
    _require_found(request.accept, (dataset, *pooled))
    split = parse_split(request.split, dataset.dates, calendar_of(dataset.ticker))
    if request.folds:
        split = _by_folds(request, split, dataset)
    labels = target.labels(dataset.frame)
    first_row = grid.longest_context - 1
    rows = split_rows(dataset.dates, labels, split, horizon=target.horizon, first_row=first_row)
    require_test_days(dataset.dates, rows, split, horizon=target.horizon)
    base_rates(labels, replace(rows, test=rows.test[:0]))  # the test is sealed: planning counts none of its labels
    snapshots = {name: digest for each in (dataset, *pooled) for name, digest in each.snapshots.items()}
    ranges = training_ranges(request.head, request.training)
    data = Data(
        dataset=dataset.digest,
        snapshots=_named(snapshots),
        ticker=dataset.ticker,
        source=dataset.source,
        tier=tier,
        train_datasets=_named({each.ticker: each.digest for each in pooled}) if pooled else NONE,
    )
    chosen = ("pooled" if pooled else NONE, *variant_names(training, grid.architectures[0]))
    variant = "".join(f"-{each}" for each in chosen if each != NONE) + _grid_variant(grid, settings)
    variant += _training_variant(request) + _protocol_variant(request)
    default_name = f"{dataset.ticker}-{target.name}-{budget.text}-{tier}{variant}-{dataset.digest[:8]}"
    plan = Plan(
        study=name or re.sub(rf"[^{NAME_LETTERS}]", "_", default_name),
        data=data,
        target=target,
        split=split,
        budget=budget.text,
        tolerance=budget.tolerance,
        **{f"{name}_axis": axis_text(getattr(grid.axes, name)) for name in AXIS_NAMES},
        min_head_dim=grid.axes.min_head_dim,
        grid_hash=grid.hash,
        n_features=grid.architectures[0].n_features,
        max_epochs=training.max_epochs,
        patience=training.patience,
        offset=training.offset,
        instance_norm=request.instance_norm,
        head=request.head,
        blend=training.blend,
        init=training.init,
        first_epoch=training.first_epoch,
        seed=request.seed,
        n_folds=request.folds,
        n_seeds=request.seeds,
        search_ranges=write_values(range_texts(ranges)),
        space_hash=SearchSpace(grid, ranges).hash,
        fixed_settings=_fixed_settings(grid, training, ranges),
    )
    assert plan.spec(grid.architectures[0], plan.drawn_of(training)).training == training
    require_enough_specs(plan, request.trials)
    return plan, dataset


def _require_found(accepted: tuple[str, ...], datasets: Sequence[DatasetVersion]) -> None:
    """Refuse what was accepted and no check finds: a day that is mistyped, or data that were repaired."""
    unknown = [name for name in accepted if not any(name in each.accepted for each in datasets)]
    if unknown:
        raise InputError(
            f"accept must name what a check finds, got {', '.join(unknown)}; patchscale data check lists it"
        )


def _fixed_settings(grid: Grid, training: Training, drawn: Collection[str]) -> str:
    """Write what determines a trial and has no field of its own in the plan, the axes of the window among it."""
    held = {name: value for part in (grid.architectures[0], training) for name, value in flatten(part)}
    held |= {name: axis_text(getattr(grid.axes, name)).replace(",", " ") for name in WINDOW_AXES}
    return write_values({name: held[name] for name in unsearched(drawn)})


def _grid_variant(grid: Grid, settings: Mapping[str, Any]) -> str:
    """Tell a grid of other axes or tolerance from the standard one in the study's name."""
    axes = Axes().of(grid.budget).with_window(standard_window(settings))
    standard = grid.axes == axes and grid.budget.tolerance == DEFAULT_TOLERANCE
    return "" if standard else f"-g{grid.hash[:6]}"


def _training_variant(request: HpoRequest) -> str:
    """Tell a study of other training ranges or values from the usual one in its name."""
    nothing_asked: dict[str, Any] = dict.fromkeys(request.training, AUTO)
    usual = dict(flatten(fixed_training(replace(request, **nothing_asked, width_rates=AUTO))))
    usual |= range_texts(training_ranges(request.head))
    asked = dict(flatten(fixed_training(request))) | range_texts(training_ranges(request.head, request.training))
    told = {name: asked[name] for name in (*request.training, "width_rates") if asked[name] != usual[name]}
    return f"-t{hashlib.sha256(write_values(told).encode()).hexdigest()[:6]}" if told else ""


def _protocol_variant(request: HpoRequest) -> str:
    """Tell a study whose trials are several trainings from others in its name."""
    return (f"-f{request.folds}" if request.folds else "") + (f"-k{request.seeds}" if request.seeds > 1 else "")


def _by_folds(request: HpoRequest, split: Split, dataset: DatasetVersion) -> Split:
    """Validate on the whole years before the test; days that were given must be those."""
    found = folded_split(split, request.folds, dataset.dates)
    given = read_ends("split", request.split)
    if given is not None and found != split:
        wanted = "/".join(map(str, (found.train_end, found.validation_end, found.test_end)))
        raise InputError(
            f"split must leave the {request.folds} whole years before the test to the folds, got {request.split}; take "
            f"--split {wanted}, or another number of --folds"
        )
    return found


def _named(digests: Mapping[str, str]) -> str:
    return ",".join(f"{name}={digest}" for name, digest in digests.items())


def _snapshot(root: Path, provider: Source, ticker: str) -> Snapshot:
    """Newest stored snapshot where downloading again would bring another one, else a fresh one.

    So the same command means the same data, also tomorrow and offline;
    refreshing is left to ``patchscale data pull``.
    """
    stored = latest_snapshots(root, provider.name).get(ticker) if provider.name in CHANGING_SOURCES else None
    return stored or pull(root, provider, ticker)[0]
