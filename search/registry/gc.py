"""Cleanup: delete losing checkpoints and leftover training states, never records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from optuna.trial import TrialState
from rich.filesize import decimal

from search.audit.audit import waiting_retries
from search.registry.packaging.kept_models import delete_models, losing_models
from search.results.card import update_card
from search.results.trial_runs import RecordedTrial, recorded_trials
from search.results.weights import let_go, losing, registration, take_back, weights_in_words
from search.study.study import Study, load_study
from search.tracking.artifacts import CHECKPOINT, checkpoint_bytes
from search.tracking.artifacts import DELETED as DELETED
from search.tracking.lease import brief_lease
from search.tracking.state import SENT, TrainingState
from search.tracking.stores import Stores
from search.tracking.tags import RUNNING

if TYPE_CHECKING:
    from rich.console import Console


def clean_up(stores: Stores, name: str, *, keep: int, dry_run: bool, console: Console) -> None:
    """Delete what :func:`losing_checkpoints` and :func:`leftover_states` find, and losing trials' logged models.

    What a killed command had begun to delete is finished.

    Raises
    ------
    PatchscaleError
        If there is no such study, somebody works on it, or its artifact store can't delete.
    """
    study = load_study(stores, name)
    if dry_run:
        _print_plan(console, losing_checkpoints(study, keep), leftover_states(study))
        for model in losing_models(study, keep):
            console.print(f"would delete logged model {model.name} too", markup=False)
        return
    with brief_lease(stores, registration(name)), brief_lease(stores, name):
        for trial in recorded_trials(study):
            take_back(study.client, trial.run)
        lost, states = losing_checkpoints(study, keep), leftover_states(study)
        for model in delete_models(study, losing_models(study, keep)):
            console.print(f"deleted logged model {model.name}", markup=False)
        freed = 0
        for trial, size in lost:
            freed += let_go(study.client, trial.run, keep)
            console.print(f"deleted {CHECKPOINT} of {trial.name}, {decimal(size)}", markup=False)
        for path in states:
            freed += path.stat().st_size
            path.unlink()
        sent = leftover_sent(study)
        for run_id in sent:
            TrainingState(study.client, run_id, study.training_state(run_id)).remove()
        if lost:
            update_card(study)
    console.print(
        f"study {name}: {len(lost)} checkpoints and {len(states) + len(sent)} leftover training states deleted, "
        f"{decimal(freed)} ({freed:,} bytes) freed; records, metrics and predictions stay",
        markup=False,
    )
    console.print(f"now {weights_in_words(study, recorded_trials(study))}", markup=False)


def losing_checkpoints(study: Study, keep: int) -> list[tuple[RecordedTrial, int]]:
    """Find ended trials neither among the best, nor in use by a registered model, with their checkpoints' bytes.

    Raises
    ------
    InputError
        If none is to be kept, or the registry can't be read.
    """
    sized = [(t, checkpoint_bytes(study.client, t.run)) for t in losing(study, recorded_trials(study), keep)]
    return [(trial, size) for trial, size in sized if size is not None]


def leftover_states(study: Study) -> list[Path]:
    """Training states of the study's runs that have ended and that no interrupted trial will go on with."""
    ended = {trial.run_id for trial in _ended(study)}
    directory = study.training_state("any").parent
    # a kill leaves one half written, whose name begins with a dot
    return [path for path in sorted(directory.glob("*")) if path.name.lstrip(".").partition(".")[0] in ended]


def leftover_sent(study: Study) -> list[str]:
    """Ids of such runs whose state was sent to an artifact store and is there still."""
    return [trial.run_id for trial in _ended(study) if SENT in trial.run.data.tags]


def _ended(study: Study) -> list[RecordedTrial]:
    schedule = study.schedule.get_trials(deepcopy=False)
    needed = {t.user_attrs.get("resume_run") for t in schedule if t.state == TrialState.WAITING}
    needed |= {t.user_attrs.get("run_id") for t in waiting_retries(schedule, running=False)}
    recorded = recorded_trials(study)
    return [each for each in recorded if each.run.info.status != RUNNING and each.run_id not in needed]


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
