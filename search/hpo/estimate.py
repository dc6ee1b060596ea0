"""The estimate: what a study would take on this device, before any of it is run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.linear_model import LinearRegression

from model.spec.architecture import Architecture, total_parameters
from model.spec.choices import NONE
from model.training.device import kind_of
from model.training.execution import SHARE_OF_MEMORY, Execution, choose_execution, least_memory
from model.training.memory import available_memory
from model.training.step_time import Pace, measure_pace
from model.windows import Windows, make_windows
from pipeline.datasets.dataset import DatasetVersion, load_dataset
from pipeline.exceptions import TrainingError
from search.hpo.disk import Disk
from search.space.extremes import extremes
from search.study.plan import Plan
from search.workers.count import count_cores

if TYPE_CHECKING:
    from search.space.grid import Grid

GIB = 2**30
STARTED = ("search.hpo.command", "search.trial.runner")
STARTS = 2
"""Starts that no worker shares: the command's own, and opening, checking and closing the study, which takes as long."""
TRIAL_SECONDS, PART_SECONDS, EPOCH_SECONDS = 0.4, 0.1, 0.02
"""Records of a trial, of each of its trainings where it is several, and of an epoch; measured on SQLite with two cores:
0.2, 0.08 and 0.013."""
PRUNED_AFTER = 2
"""Folds that a trial has trained which is pruned between folds; the most of those measured."""
PRUNED_ALONE, PRUNED_OVER_A_LINE = 2.5, 0.3
"""Trials pruned for each that is finished and no extreme, measured: 37 and 15 of eight studies without an offset, whose
specs differ, 6 and 23 of three with one."""
Pick = Callable[[Architecture], float]


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a grid takes on a device; the same for every horizon of a budget.

    Parameters
    ----------
    n_fitting : int
        Architectures that can be trained with the memory that is free.
    memory_bytes : int
        Of a trial of the most demanding architecture, as it would be computed; the least it needs if it does not fit.
    micro_batch : int, optional
        Windows that it would be given at a time; None if it does not fit.
    free_bytes : int
        Memory that was free.
    measured : tuple of Pace
        Some that fit: fewest, middle and most parameters, and the deepest.
    """

    n_fitting: int
    memory_bytes: int
    micro_batch: int | None
    free_bytes: int
    measured: tuple[Pace, ...]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a study would take, at most.

    Parameters
    ----------
    plan : Plan
        Of the study.
    survey : Survey
        Of the grid.
    trials, workers : int
        Trials that are left to run, and workers asked for.
    finished : int
        Trials that the study has already.
    at_once : int
        Workers that don't take each other's time: as many as there are cores, one on a GPU.
    steps_per_epoch : int
        With the batch size that a study tries first; a trial's work does not depend on it.
    seconds : float, optional
        Of training and validation with every worker busy, and of what comes on top; None if nothing fits.
    on_top : float
        Of these, for starting workers, and for records and checkpoints.
    disk : Disk, optional
        Its peak; None is unknown.
    shows : str
        What its validation days could show, in words.
    """

    plan: Plan
    survey: Survey
    trials: int
    workers: int
    at_once: int
    steps_per_epoch: int
    seconds: float | None
    on_top: float
    finished: int = 0
    disk: Disk | None = None
    shows: str = ""


def survey(plan: Plan, windows: Windows, report: Callable[[str], None] = lambda line: None) -> Survey:
    """Weigh a plan's grid and run representatives of it on the windows' device.

    Parameters
    ----------
    plan : Plan
        Any of those that share the grid.
    windows : Windows
        What its trials would be trained on, of the longest context.
    report : callable, optional
        Told before each architecture that is run.
    """
    device, rows = windows.x_NTF.device, len(windows.x_DF)
    free = available_memory(device)
    architectures = plan.grid().architectures
    chosen = {a: _execution(plan, a, device, rows, free) for a in architectures}
    fitting = [a for a in architectures if chosen[a] is not None]
    weights = {
        a: execution.memory(plan.spec(a, {}), device, rows).total
        if execution
        else least_memory(plan.spec(a, {}), device, rows=rows)
        for a, execution in chosen.items()
    }
    heaviest = max(architectures, key=lambda a: (chosen[a] is None, weights[a]))
    execution = chosen[heaviest]
    measured = []
    for architecture in representatives(fitting):
        report(f"{plan.budget}: running a few steps of {architecture.label}")
        execution_of = chosen[architecture] or Execution(micro_batch=1)
        seen = windows.of_length(architecture.context_length)
        measured.append(measure_pace(plan.spec(architecture, {}), seen, execution_of))
    return Survey(
        n_fitting=len(fitting),
        memory_bytes=weights[heaviest],
        micro_batch=execution.micro_batch if execution else None,
        free_bytes=free,
        measured=tuple(measured),
    )


def representatives(architectures: Sequence[Architecture]) -> list[Architecture]:
    """Fewest, middle and most parameters, the deepest, and where the window is searched most tokens; each once.

    Examples
    --------
    >>> from model.spec.budget import Budget
    >>> from search.space.grid import make_grid
    >>> [a.label for a in representatives(make_grid(Budget(text="2M"), n_features=25).architectures)]
    ['d64-L32-h2-ff256', 'd128-L16-h2-ff256', 'd384-L2-h32-ff768', 'd64-L64-h2-ff128']
    """
    if not architectures:
        return []
    by_size = sorted(architectures, key=total_parameters)
    deepest = max(architectures, key=lambda a: a.n_layers)
    found = [by_size[0], by_size[len(by_size) // 2], by_size[-1], deepest]
    if len({a.n_tokens for a in architectures}) > 1:
        found.append(max(architectures, key=lambda a: (a.n_tokens, a.n_layers)))
    return list(dict.fromkeys(found))


def estimate(
    plan: Plan,
    found: Survey,
    *,
    trials: int,
    workers: int,
    windows: Windows,
    start_seconds: float,
    finished: int = 0,
    pruned: bool = False,
) -> Estimate:
    """Estimate a study from the survey of its grid, the measured start of a process, and whether folds are pruned."""
    grid, left = plan.grid(), max(0, trials - finished)
    cores = count_cores()
    at_once = max(1, min(workers, left, 1 if kind_of(windows.x_NTF.device).one_trial else cores))
    starts = STARTS + -(-min(workers, left) // cores)
    parts = max(1, plan.n_folds) * plan.n_seeds
    a_part = plan.max_epochs * EPOCH_SECONDS + (PART_SECONDS if parts > 1 else 0.0)
    searched = max(0, trials - max(finished, len(extremes(grid)))) if pruned and plan.n_folds > PRUNED_AFTER else 0
    trained = left + searched * pruned_a_trial(plan) * PRUNED_AFTER / max(1, plan.n_folds)
    recorded = trained * (TRIAL_SECONDS + parts * a_part) / at_once
    on_top = starts * start_seconds + recorded if left else 0.0
    steps = -(-_rows_a_part(plan, windows) // plan.spec(grid.architectures[0], {}).training.batch_size)
    seconds = None
    if not left:
        seconds = 0.0
    elif found.measured:
        step = fit([(m.architecture, m.step_seconds) for m in found.measured])
        validation = fit([(m.architecture, m.validation_seconds) for m in found.measured])
        share = 1 / max(1, plan.n_folds)  # of the validation days, which a fold forecasts
        epochs = trials_mean(grid, lambda a: steps * step(a) + share * validation(a), trials, finished)
        seconds = trained * parts * plan.max_epochs * epochs / at_once + on_top
    return Estimate(
        plan=plan,
        survey=found,
        trials=left,
        workers=workers,
        at_once=at_once,
        steps_per_epoch=steps,
        seconds=seconds,
        on_top=on_top,
        finished=finished,
    )


def pruned_a_trial(plan: Plan) -> float:
    """Trials that are pruned between folds for each that is finished and no extreme."""
    return PRUNED_ALONE if plan.offset == NONE else PRUNED_OVER_A_LINE


def _rows_a_part(plan: Plan, windows: Windows) -> int:
    """Count the rows that a training reads; of folds in the mean, which lie evenly between the first and the last."""
    first = len(windows.train_rows)
    if not plan.n_folds:
        return first
    a_year = len(windows.rows.validation) / plan.n_folds * first / max(1, len(windows.rows.train))
    return round(first + a_year * (plan.n_folds - 1) / 2)


def start_seconds() -> float:
    """Measure how long a worker takes to start, by starting one process that loads what a worker does."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", f"import {', '.join(STARTED)}"], check=True, cwd=Path(__file__).parents[2])
    return time.monotonic() - began


def fit(measured: Sequence[tuple[Architecture, float]]) -> Pick:
    """Time of any architecture of a grid, from those of some.

    Matrix products grow with the parameters, what is done to each number in between with layers times width, both
    with the tokens, the start of each operation with layers; relative errors are made small, and no share is negative.
    """
    x = np.array([_work(a) for a, _ in measured])
    seconds = np.array([s for _, s in measured])
    model = LinearRegression(fit_intercept=False, positive=True)
    model.fit(x / seconds[:, None], np.ones(len(seconds)))
    return lambda a: float(np.dot(model.coef_, _work(a)))


def trials_mean(grid: Grid, value: Pick, trials: int, finished: int = 0) -> float:
    """Mean over a study's trials that are left: the grid's extremes come first, the others are spread over the grid."""
    first = [value(a) for a in extremes(grid)[finished:trials]]
    rest, left = float(np.mean([value(a) for a in grid.architectures])), trials - finished
    return (sum(first) + (left - len(first)) * rest) / left


def windows_of(plan: Plan, dataset: DatasetVersion, root: Path, device: torch.device) -> Windows:
    """Windows that a plan's trials would be trained on, of the longest context."""
    pooled = [load_dataset(root, digest) for digest in plan.data.pooled_digests]
    architecture = plan.grid().architectures[0]
    return make_windows(
        dataset,
        plan.target,
        plan.split,
        plan.context_length,
        device=device,
        pooled=pooled,
        horizons=architecture.ahead,
    )


def does_not_fit(found: Survey) -> str:
    """Say in words that the most demanding architecture has not enough memory; empty if it has.

    Examples
    --------
    >>> does_not_fit(Survey(n_fitting=0, memory_bytes=32 * GIB, micro_batch=None, free_bytes=22 * GIB, measured=()))
    'does not fit: 32.0 GiB needed, 22.0 GiB free (80% of it may be used)'
    """
    if found.micro_batch is not None:
        return ""
    return (
        f"does not fit: {found.memory_bytes / GIB:.1f} GiB needed, {found.free_bytes / GIB:.1f} GiB free "
        f"({SHARE_OF_MEMORY:.0%} of it may be used)"
    )


def _work(architecture: Architecture) -> tuple[float, float, float]:
    layers, width, tokens = map(float, (architecture.n_layers, architecture.d_model, architecture.n_tokens))
    return tokens * total_parameters(architecture), tokens * layers * width, layers


def _execution(plan: Plan, a: Architecture, device: torch.device, rows: int, free: int) -> Execution | None:
    try:
        return choose_execution(plan.spec(a, {}), device, rows=rows, available=free)
    except TrainingError:
        return None
