"""The main job: start, continue or extend a study, and close it with its results."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.table import Table

from model.budget import DEFAULT_TOLERANCE
from model.trainer import choose_device
from pipeline.exceptions import InputError
from search import record
from search.axes import Axes
from search.board import board_link, save_board
from search.card import study_card
from search.coordinator import SIGNALS, Coordinator
from search.data_record import log_data
from search.launcher import Launcher, close_stale_launchers
from search.plan import DATA_DIRECTORY, make_plan
from search.plots import write_plots
from search.progress import StudyProgress, make_console
from search.reconcile import reconcile
from search.sampler import DEFAULT_SAMPLER, require_sampler
from search.stores import open_storage, open_tracking, prepare_home, resolve_stores, study_lock
from search.study import Study, open_or_create_study
from search.trials import in_dimensions, trials_table

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.dataset import DatasetVersion

SHOWN = ("number", "label", "n_params", "epochs", "loss", "base_rate_loss", "skill", "roc_auc", "seconds")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked of ``hpo``, parsed but not yet checked against data.

    Parameters
    ----------
    budget, horizon, threshold, source, ticker, train_tickers, tier, split, seed, max_epochs, patience, offset, study
        As in :func:`search.plan.make_plan`.
    trials : int
        Finished trials that make the study complete.
    workers : str
        ``auto`` or a number of processes.
    tolerance, axes
        As in :func:`search.plan.make_plan`.
    sampler : str
        One of :data:`search.sampler.SAMPLERS`.
    tracking_uri, storage, device : str
        Empty for the default.
    """

    budget: str
    trials: int
    horizon: int
    threshold: float
    source: str
    ticker: str
    train_tickers: str
    tier: str
    split: str
    workers: str
    seed: int
    max_epochs: int
    patience: int
    offset: str
    study: str
    tracking_uri: str
    storage: str
    device: str
    tolerance: float = DEFAULT_TOLERANCE
    axes: Axes | None = None
    sampler: str = DEFAULT_SAMPLER


def run_study(request: Request) -> int:
    """Run the study until its target is met.

    Returns
    -------
    int
        Exit code: 0 complete, 128 + signal number if interrupted.

    Raises
    ------
    PatchscaleError
        If the input breaks a rule, before anything is made; or if trials keep failing.
    """
    if request.trials < 1:
        raise InputError(f"trials must be at least 1, got {request.trials}; 50 is a usual study")
    require_sampler(request.sampler)
    n_workers = count_workers(request.workers, str(choose_device(request.device).type))
    launcher = Launcher.from_environment()
    console = make_console()
    root = Path(DATA_DIRECTORY).absolute()
    plan, dataset = make_plan(
        budget=request.budget,
        horizon=request.horizon,
        threshold=request.threshold,
        source=request.source,
        ticker=request.ticker,
        train_tickers=request.train_tickers,
        tier=request.tier,
        split=request.split,
        seed=request.seed,
        max_epochs=request.max_epochs,
        patience=request.patience,
        offset=request.offset,
        study=request.study,
        tolerance=request.tolerance,
        axes=request.axes,
        root=root,
    )
    stores = resolve_stores(request.tracking_uri, request.storage)
    prepare_home(stores)
    client = open_tracking(stores)
    open_storage(stores)
    with _ended_by_signals(), study_lock(stores, plan.study) as lock:
        study = open_or_create_study(stores, plan, trials=request.trials, data_root=root, sampler=request.sampler)
        with _open_run(study, launcher) as outcome:
            for line in [*close_stale_launchers(client), *reconcile(study)]:
                console.print(f"reconciled: {line}", markup=False)
            log_data(study, *study.load_data())
            save_board(study.client, study.experiment_id, study.plan.study)
            finished = len(study.finished())
            console.print(_headline(study, dataset, finished), markup=False)
            with StudyProgress(console, finished=finished, target=request.trials) as progress:
                coordinator = Coordinator(
                    stores,
                    study,
                    n_workers=n_workers,
                    device=request.device,
                    progress=progress,
                    lock=lock,
                    launched=launcher is not None,
                )
                complete = coordinator.run()
            outcome["complete"] = complete
    _print_summary(console, study)
    if complete:
        return 0
    console.print(
        f"interrupted after {len(study.finished())}/{request.trials}; the same command continues", markup=False
    )
    return 128 + (coordinator.stopped_by or signal.SIGINT)


def count_workers(text: str, device: str) -> int:
    """Read ``--workers``: ``auto`` is one process per core, and one process on a GPU.

    Examples
    --------
    >>> count_workers("3", "cpu"), count_workers("auto", "cuda")
    (3, 1)
    """
    if text == "auto":
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return 1 if device == "cuda" else cores
    if not (text.isdecimal() and text.isascii()) or int(text) < 1:
        raise InputError(f"workers must be auto or a whole number, at least 1, got {text!r}")
    return int(text)


@contextmanager
def _open_run(study: Study, launcher: Launcher | None) -> Iterator[dict[str, Any]]:
    """Keep the study's run RUNNING inside, and end it by cause, with its results, outside."""
    study.client.update_run(study.run_id, status="RUNNING")
    outcome: dict[str, Any] = {"complete": False}
    status, state = "KILLED", "interrupted"
    try:
        if launcher is not None:
            launcher.link(study)
        yield outcome
        if outcome["complete"]:
            status, state = "FINISHED", "complete"
    except Exception as error:
        status, state = "FAILED", record.describe_error(error)
        raise
    finally:
        _ignore_signals()
        try:
            reconcile(study)
            close_study(study, state)
        finally:
            record.set_tags(study.client, study.run_id, {record.REASON: state})
            study.client.set_terminated(study.run_id, status)
            if launcher is not None:
                launcher.end(status, state)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind like Ctrl-C does, so that every run is ended."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    previous = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, end)
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def close_study(study: Study, state: str) -> None:
    """Bring the study's run up to date: card, tags, ``trials.csv`` and plots."""
    table = trials_table(study)
    finished = table[table["state"] == "finished"]
    client, run_id = study.client, study.run_id
    tags = {record.NOTE: study_card(study, table, state), "study.finished_trials": len(finished)}
    record.set_tags(client, run_id, {**tags, "study.target_trials": study.target_trials, "study.state": state})
    record.log_table(client, run_id, table, "trials.csv")
    if len(finished):
        best = finished.iloc[0]
        record.TrialRecord(client, run_id).log(
            {f"best/{name}": float(best[name]) for name in ("loss", "roc_auc", "skill")}
        )
    with TemporaryDirectory() as directory:
        left_out = write_plots(in_dimensions(study), Path(directory))
        client.log_artifacts(run_id, directory, "plots")
    record.set_tags(client, run_id, {"plots.left_out": ", ".join(left_out) or "none"})


def _headline(study: Study, dataset: DatasetVersion, finished: int) -> str:
    plan = study.plan
    return (
        f"study {plan.study}: {len(plan.grid().architectures)} architectures of {plan.budget}, "
        f"{finished}/{study.target_trials} trials done, dataset {dataset.digest[:8]} "
        f"({dataset.dates[0].date()} to {dataset.dates[-1].date()})"
    )


def _print_summary(console: Console, study: Study) -> None:
    table = trials_table(study)
    finished = table[table["state"] == "finished"]
    if len(finished):
        console.print(_summary(finished, study))
    link = board_link(study.experiment_id, study.plan.study)
    console.print("Compare the trials: start the UI with `make ui` or `patchscale ui`, then open", markup=False)
    console.print(link, markup=False, soft_wrap=True)


def _summary(finished: pd.DataFrame, study: Study) -> Table:
    split = study.plan.split
    table = Table(title=f"{study.plan.study}, validation {split.validation_start} to {split.validation_end}")
    for name in SHOWN:
        table.add_column(name.replace("_", " "), justify="left" if name == "label" else "right", no_wrap=True)
    formats = {"n_params": ",.0f", "epochs": ".0f", "seconds": ".0f", "skill": "+.3f", "number": "d"}
    for row in finished.to_dict("records"):
        cells = [row[n] if n == "label" else format(row[n], formats.get(n, ".4f")) for n in SHOWN]
        table.add_row(*map(str, cells))
    return table
