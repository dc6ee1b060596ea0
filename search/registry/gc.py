"""Cleanup: delete losing checkpoints and leftover training states, never records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from optuna.trial import TrialState
from rich.filesize import decimal

from pipeline.exceptions import InputError, describe_error
from search.audit.audit import waiting_retries
from search.registry.versions.versions import TRIAL_RUN, every_version
from search.results.card import update_card
from search.results.trial_runs import RecordedTrial, recorded_trials
from search.study.study import Study, load_study
from search.tracking.artifacts import CHECKPOINT, DELETED, checkpoint_bytes, delete_checkpoint
from search.tracking.lease import brief_lease
from search.tracking.stores import Stores
from search.tracking.tags import REGISTRATION_ROLE, RUNNING

if TYPE_CHECKING:
    from rich.console import Console


def clean_up(stores: Stores, name: str, *, keep: int, dry_run: bool, console: Console) -> None:
    """Delete what :func:`losing_checkpoints` and :func:`leftover_states` find, and say what was freed.

    Raises
    ------
    PatchscaleError
        If there is no such study, somebody works on it, or its artifact store can't delete.
    """
    study = load_study(stores, name)
    if dry_run:
        _print_plan(console, losing_checkpoints(study, keep), leftover_states(study))
        return
    with brief_lease(stores, f"{name}.{REGISTRATION_ROLE}"), brief_lease(stores, name):
        losing, states = losing_checkpoints(study, keep), leftover_states(study)
        freed = 0
        for trial, size in losing:
            delete_checkpoint(study.client, trial.run)
            study.client.set_tag(trial.run_id, DELETED, f"{size} bytes, not among the best {keep}")
            freed += size
            console.print(f"deleted {CHECKPOINT} of {trial.name}, {decimal(size)}", markup=False)
        for path in states:
            freed += path.stat().st_size
            path.unlink()
        if losing:
            update_card(study)
    console.print(
        f"study {name}: {len(losing)} checkpoints and {len(states)} leftover training states deleted, "
        f"{decimal(freed)} ({freed:,} bytes) freed; records, metrics and predictions stay",
        markup=False,
    )


def losing_checkpoints(study: Study, keep: int) -> list[tuple[RecordedTrial, int]]:
    """Find ended trials neither among the best, nor in use by a registered model, with their checkpoints' bytes.

    Raises
    ------
    InputError
        If none is to be kept.
    """
    if keep < 1:
        raise InputError(f"keep must be at least 1, got {keep}: the best checkpoint is what a study is for")
    recorded = recorded_trials(study)
    ranked = sorted(
        (t for t in recorded if t.finished and t.loss is not None and not t.problem), key=lambda t: (t.loss, t.number)
    )
    kept = {trial.run_id for trial in ranked[:keep]} | _registered(study)
    losing = []
    for trial in recorded:
        if trial.run_id in kept or trial.run.info.status == RUNNING or DELETED in trial.run.data.tags:
            continue
        size = checkpoint_bytes(study.client, trial.run)
        losing += [(trial, size)] if size is not None else []
    return losing


def leftover_states(study: Study) -> list[Path]:
    """Training states of the study's runs that have ended and that no interrupted trial will go on with."""
    schedule = study.schedule.get_trials(deepcopy=False)
    needed = {t.user_attrs.get("resume_run") for t in schedule if t.state == TrialState.WAITING}
    needed |= {t.user_attrs.get("run_id") for t in waiting_retries(schedule, running=False)}
    ended = {trial.run_id for trial in recorded_trials(study) if trial.run.info.status != RUNNING} - needed
    directory = study.training_state("any").parent
    # a kill leaves one half written, whose name begins with a dot
    return [path for path in sorted(directory.glob("*")) if path.name.lstrip(".").partition(".")[0] in ended]


def _registered(study: Study) -> set[str]:
    """Find the runs that registered versions were made of: their own, and their trials'."""
    from mlflow.exceptions import MlflowException

    try:
        return {run for each in every_version(study.client) for run in (str(each.run_id), each.tags.get(TRIAL_RUN, ""))}
    except MlflowException as error:
        raise InputError(
            f"the registry must be readable before checkpoints are deleted, got: {describe_error(error)}"
        ) from error


def _print_plan(console: Console, losing: list[tuple[RecordedTrial, int]], states: list[Path]) -> None:
    for trial, size in losing:
        console.print(f"would delete {CHECKPOINT} of {trial.name}, {decimal(size)}", markup=False)
    for path in states:
        console.print(f"would delete {path}", markup=False)
    total = sum(size for _, size in losing) + sum(path.stat().st_size for path in states)
    console.print(
        f"would free {decimal(total)} ({total:,} bytes): {len(losing)} checkpoints, "
        f"{len(states)} leftover training states; nothing was deleted",
        markup=False,
    )
