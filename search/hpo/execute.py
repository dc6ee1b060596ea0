"""Work on an open study: its run kept RUNNING, its trials run, its results closed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd
from rich.table import Table

from pipeline.exceptions import PatchscaleError, StoreLostError, describe_error
from search.hpo.chosen_days import study_shows
from search.hpo.launcher import Launcher, close_stale_launchers
from search.registry.packaging.kept_models import keep_best_models
from search.results.card import STATE, study_card
from search.results.class_counts import validation_counts
from search.results.holdout import sealed_by_others
from search.results.trials_table import trials_table
from search.results.weights import WeightKeeper
from search.space.window import left_out
from search.study.reconcile import reconcile
from search.study.restore import restore
from search.study.study import STOPPED, WORKED, Study
from search.tracking.address import server_address
from search.tracking.board import board_link, save_board
from search.tracking.run import RunWriter
from search.tracking.stores import Stores
from search.tracking.tags import NOTE
from search.trial.inputs import log_data
from search.workers.coordinator import Coordinator
from search.workers.pool import Workforce
from search.workers.progress import StudyProgress, make_console
from search.workers.signals import Signals

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.datasets.dataset import DatasetVersion

COMPLETE, TIMED_OUT = "complete", "stopped by timeout"
SHOWN = ("number", "label", "n_params", "epochs", "loss", "base_rate_loss", "skill", "roc_auc", "seconds")


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How work on a study ended.

    Parameters
    ----------
    complete, timed_out : bool
        Whether what was to be finished is, or its time was up.
    signal : int, optional
        The first that asked to stop, also if it came while the study was being closed.
    """

    complete: bool
    timed_out: bool
    signal: int | None


def work_on_study(
    study: Study,
    workforce: Workforce,
    console: Console,
    signals: Signals,
    *,
    launcher: Launcher | None = None,
    until: int | None = None,
) -> Ending:
    """Run what remains of an open study, and close it with its results.

    Parameters
    ----------
    study : Study
        Open, and locked by the caller.
    workforce : Workforce
        Who works, and how long.
    console : Console
        Where progress and results go.
    signals : Signals
        Entered by the caller.
    launcher : Launcher, optional
        Run that starts and ends with the study.
    until : int, optional
        Finished trials at which to stop, where that is before the target.

    Raises
    ------
    PatchscaleError
        If its data are not there, or if trials keep failing.
    """
    study, restored = restore(study)
    with _open_run(study, workforce, launcher, signals) as outcome:
        for line in [*restored, *close_stale_launchers(study.client), *reconcile(study)]:
            console.print(f"reconciled: {line}", markup=False)
        dataset, pooled = study.load_data()
        log_data(study, dataset, pooled)
        save_board(study.client, study.experiment_id, study.plan.study, searched=study.plan.grid().dimensions)
        finished, target = len(study.finished()), study.target_trials
        console.print(_headline(study, dataset, finished), markup=False)
        _print_board(console, study, "Watch")
        for line in _remarks(study, (dataset, *pooled)):
            console.print(line, markup=False)
        for other in sealed_by_others(study):
            warning = f"warning: trains or selects on days that study {other} keeps sealed as its test"
            console.print(warning, markup=False)
        with StudyProgress(console, finished=finished, target=target) as progress:
            coordinator = Coordinator(study, workforce, progress, until=until)
            met = coordinator.run()
        timed_out, done = coordinator.timed_out and not met, len(study.finished())
        if met:
            outcome |= {"status": "FINISHED", "state": COMPLETE} if done >= target else {"state": "incomplete"}
        elif timed_out:
            outcome["state"] = f"{TIMED_OUT}, {done}/{target}"
            study.schedule.set_user_attr(STOPPED, "timeout")
    _print_summary(console, study)
    if not met:
        how = TIMED_OUT if timed_out else "interrupted"
        console.print(f"{how} after {len(study.finished())}/{target}; the same command continues", markup=False)
    stopped_by = None if coordinator.timed_out else coordinator.stopped_by
    return Ending(complete=met, timed_out=timed_out, signal=stopped_by or signals.noted)


@contextmanager
def _open_run(
    study: Study, workforce: Workforce, launcher: Launcher | None, signals: Signals
) -> Iterator[dict[str, str]]:
    """Keep the study's run RUNNING inside, and end it as what is given inside says, with its results, outside.

    If another command took the study over, it is left alone: only the launcher ends.
    """
    study.client.update_run(study.run_id, status="RUNNING")
    outcome = {"status": "KILLED", "state": "interrupted"}
    study.schedule.set_user_attr(STOPPED, "")
    began = time.monotonic()
    try:
        if launcher is not None:
            launcher.link(study)
        yield outcome
    except StoreLostError as error:
        outcome["state"] = f"interrupted: {describe_error(error)}"
        raise
    except Exception as error:
        outcome |= {"status": "FAILED", "state": describe_error(error)}
        raise
    finally:
        signals.only_note()
        try:
            workforce.require_lease()
            _end_run(study, workforce.stores, outcome, time.monotonic() - began)
        finally:
            if launcher is not None:
                launcher.end(outcome["status"], outcome["state"])


def _end_run(study: Study, stores: Stores, outcome: dict[str, str], seconds: float) -> None:
    study.schedule.set_user_attr(WORKED, study.schedule.user_attrs.get(WORKED, 0.0) + seconds)
    try:
        reconcile(study)
        say = partial(make_console().print, markup=False)
        WeightKeeper(study, stores, say).settle()
        if outcome["state"].startswith((COMPLETE, TIMED_OUT)):
            _log_models(study, say)
        close_study(study, outcome["state"])
    finally:
        RunWriter(study.client, study.run_id).end(outcome["status"], outcome["state"])


def _log_models(study: Study, say: Callable[[str], None]) -> None:
    """Make the best trials logged models; what goes wrong with that is said, and the study is closed all the same."""
    try:
        made, problems = keep_best_models(study)
    except Exception as error:
        made, problems = 0, (str(error) if isinstance(error, PatchscaleError) else describe_error(error),)
    for problem in problems:
        say(f"no logged model of one of the best trials: {problem}")
    if made:
        say(f"{made} of the best trials became logged models: MLflow's Models tab compares them, and registers one")


def close_study(study: Study, state: str) -> None:
    """Bring the study's run up to date: card, tags and ``trials.csv``."""
    table = trials_table(study)
    finished = table[table["state"] == "finished"]
    writer = RunWriter(study.client, study.run_id)
    tags = {NOTE: study_card(study, table, state), "study.finished_trials": len(finished)}
    writer.set_tags({**tags, "study.target_trials": study.target_trials, STATE: state})
    writer.log_table(table, "trials.csv")
    if len(finished):
        best = finished.iloc[0]
        writer.log({f"best/{name}": float(best[name]) for name in ("loss", "roc_auc", "skill")})


def _remarks(study: Study, datasets: Sequence[DatasetVersion]) -> Iterator[str]:
    """Say what a user should know before the first trial: of the data, each once, of the target and of the grid."""
    yield from (f"warning: {remark}" for remark in dict.fromkeys(each for data in datasets for each in data.warnings))
    if study.plan.target.note:
        yield f"note: {study.plan.target.note}"
    if not study.finished() and (shown := study_shows(study, datasets[0])):
        yield f"note: {shown}"
    if left_out(study.plan.grid().axes):
        yield f"note: {left_out(study.plan.grid().axes)}"


def _headline(study: Study, dataset: DatasetVersion, finished: int) -> str:
    plan = study.plan
    return (
        f"study {plan.study}: {len(plan.grid().architectures)} architectures of {plan.budget}, "
        f"{finished}/{study.target_trials} trials done, dataset {dataset.digest[:8]} "
        f"({dataset.dates[0].date()} to {dataset.dates[-1].date()}), validation {validation_counts(study)}"
    )


def _print_summary(console: Console, study: Study) -> None:
    table = trials_table(study)
    finished = table[table["state"] == "finished"]
    if len(finished):
        console.print(_summary(finished, study))
    _print_board(console, study, "Compare")


def _print_board(console: Console, study: Study, what: str) -> None:
    """Say where the board is, and for what; a server has it already, an embedded store needs its UI."""
    uri = str(study.client.tracking_uri)
    first = "" if server_address(uri) else "start the UI with `make ui` or `patchscale ui`, then "
    console.print(f"{what} the trials: {first}open", markup=False)
    console.print(board_link(study.experiment_id, study.plan.study, uri), markup=False, soft_wrap=True)


def _summary(finished: pd.DataFrame, study: Study) -> Table:
    split = study.plan.split
    days = f"validation {split.validation_start} to {split.validation_end}, {validation_counts(study)}"
    table = Table(title=f"{study.plan.study}, {days}")
    for name in SHOWN:
        table.add_column(name.replace("_", " "), justify="left" if name == "label" else "right", no_wrap=True)
    formats = {"n_params": ",.0f", "epochs": ".0f", "seconds": ".0f", "skill": "+.3f", "number": "d"}
    for row in finished.to_dict("records"):
        cells = [row[n] if n == "label" else format(row[n], formats.get(n, ".4f")) for n in SHOWN]
        table.add_row(*map(str, cells))
    return table
