"""The main job: start, continue or extend a study, and close it with its results."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.table import Table

from model.trainer import choose_device
from pipeline.exceptions import InputError
from search import record
from search.board import board_link, save_board
from search.card import study_card
from search.coordinator import Coordinator
from search.data_record import log_data
from search.launcher import Launcher, close_stale_launchers
from search.plan import DATA_DIRECTORY, Plan, make_plan
from search.plots import write_plots
from search.progress import StudyProgress, make_console
from search.pruner import make_pruner
from search.reconcile import reconcile
from search.restore import restore
from search.signals import Signals
from search.stores import Stores, open_storage, open_tracking, prepare_home, resolve_stores, study_lock
from search.study import STOPPED, Study, open_or_create_study
from search.trials import in_dimensions, trials_table
from search.workers import count_workers

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.dataset import DatasetVersion

TIMED_OUT = 124
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
    pruner : str
        As in :func:`search.pruner.make_pruner`.
    timeout : float or None
        Seconds after which no further epoch is started; None is no limit.
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
    pruner: str
    timeout: float | None
    seed: int
    max_epochs: int
    patience: int
    offset: str
    study: str
    tracking_uri: str
    storage: str
    device: str


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How work on a study ended.

    Parameters
    ----------
    complete, timed_out : bool
        Whether its target is met, or its time was up.
    signal : int, optional
        The first that asked to stop, also if it came while the study was being closed.
    """

    complete: bool
    timed_out: bool
    signal: int | None


def run_study(request: Request) -> int:
    """Run the study until its target is met.

    Returns
    -------
    int
        Exit code: 0 complete, 124 stopped by timeout, 128 + signal number if interrupted.

    Raises
    ------
    PatchscaleError
        If the input breaks a rule, before anything is made; or if trials keep failing.
    """
    require_runnable(request)
    launcher = Launcher.from_environment()
    plan, dataset = plan_study(request)
    ending = work_on(open_stores(request), request, plan, dataset, launcher=launcher, launched=launcher is not None)
    if ending.complete:
        return 0
    return TIMED_OUT if ending.timed_out else 128 + (ending.signal or signal.SIGINT)


def require_runnable(request: Request) -> None:
    """Check what a request says of this command, not of its data.

    Raises
    ------
    InputError
        Naming the first rule that a value breaks.
    """
    if request.trials < 1:
        raise InputError(f"trials must be at least 1, got {request.trials}; 50 is a usual study")
    count_workers(request.workers, str(choose_device(request.device).type))
    make_pruner(request.pruner)


def plan_study(request: Request) -> tuple[Plan, DatasetVersion]:
    """Plan of the study that is asked for: :func:`search.plan.make_plan`."""
    return make_plan(
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
        root=Path(DATA_DIRECTORY).absolute(),
    )


def open_stores(request: Request) -> Stores:
    """Resolve the request's stores, and make embedded ones that are not there."""
    stores = resolve_stores(request.tracking_uri, request.storage)
    prepare_home(stores)
    open_tracking(stores)
    open_storage(stores)
    return stores


def work_on(
    stores: Stores,
    request: Request,
    plan: Plan,
    dataset: DatasetVersion,
    *,
    launcher: Launcher | None = None,
    launched: bool = False,
) -> Ending:
    """Open or make the study of a plan, run what remains of it, and close it with its results.

    Parameters
    ----------
    stores, request, plan, dataset
        From :func:`open_stores`; what was asked, and what :func:`plan_study` made of it.
    launcher : Launcher, optional
        Run that starts and ends with the study.
    launched : bool
        Whether ``mlflow run`` started this process.
    """
    console, root = make_console(), Path(DATA_DIRECTORY).absolute()
    with Signals() as signals, study_lock(stores, plan.study) as lock:
        study = open_or_create_study(stores, plan, trials=request.trials, data_root=root, pruner=request.pruner)
        study, restored = restore(study)
        with _open_run(study, launcher, signals) as outcome:
            for line in [*restored, *close_stale_launchers(study.client), *reconcile(study)]:
                console.print(f"reconciled: {line}", markup=False)
            log_data(study, *study.load_data())
            save_board(study.client, study.experiment_id, study.plan.study)
            finished = len(study.finished())
            console.print(_headline(study, dataset, finished), markup=False)
            with StudyProgress(console, finished=finished, target=request.trials) as progress:
                coordinator = Coordinator(
                    stores,
                    study,
                    n_workers=count_workers(request.workers, str(choose_device(request.device).type)),
                    device=request.device,
                    progress=progress,
                    lock=lock,
                    launched=launched,
                    timeout=request.timeout,
                )
                complete = coordinator.run()
            outcome["complete"], outcome["timed_out"] = complete, coordinator.timed_out
    _print_summary(console, study)
    timed_out = coordinator.timed_out and not complete
    if not complete:
        how = "stopped by timeout" if timed_out else "interrupted"
        console.print(f"{how} after {len(study.finished())}/{request.trials}; the same command continues", markup=False)
    stopped_by = None if coordinator.timed_out else coordinator.stopped_by
    return Ending(complete=complete, timed_out=timed_out, signal=stopped_by or signals.noted)


@contextmanager
def _open_run(study: Study, launcher: Launcher | None, signals: Signals) -> Iterator[dict[str, Any]]:
    """Keep the study's run RUNNING inside, and end it by cause, with its results, outside."""
    study.client.update_run(study.run_id, status="RUNNING")
    outcome: dict[str, Any] = {"complete": False, "timed_out": False}
    status, state = "KILLED", "interrupted"
    study.schedule.set_user_attr(STOPPED, "")
    try:
        if launcher is not None:
            launcher.link(study)
        yield outcome
        if outcome["complete"]:
            status, state = "FINISHED", "complete"
        elif outcome["timed_out"]:
            state = f"stopped by timeout, {len(study.finished())}/{study.target_trials}"
            study.schedule.set_user_attr(STOPPED, "timeout")
    except Exception as error:
        status, state = "FAILED", record.describe_error(error)
        raise
    finally:
        signals.only_note()
        try:
            reconcile(study)
            close_study(study, state)
        finally:
            record.set_tags(study.client, study.run_id, {record.REASON: state})
            study.client.set_terminated(study.run_id, status)
            if launcher is not None:
                launcher.end(status, state)


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
