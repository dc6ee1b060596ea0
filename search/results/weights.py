"""Weights of a study's trials: the best keep theirs, and those of a trial that lost are let go, which a tag says.

A trial that is not among the best of those that have finished will never be again, so whoever looks comes to the same
decision.  The tag is written before the file goes: a kill in between leaves nothing that seems lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from pipeline.exceptions import InputError, PatchscaleError, StoreError, describe_error
from search.results.trial_runs import RecordedTrial, recorded_trials
from search.study.study import Study
from search.tracking.artifacts import DELETED, checkpoint_bytes, checkpoints_of, delete_checkpoint, is_kept
from search.tracking.lease import brief_lease
from search.tracking.locks import part_of
from search.tracking.reader import every_page, find_run, is_active
from search.tracking.stores import Stores
from search.tracking.tags import FINISHED, REGISTRATION_ROLE, RESTORED, TRIAL_RUN

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

BEGUN = "begun: "
"""Beginning of the tag's text until the file is gone."""


class WeightKeeper:
    """Lets go the weights of trials that lost, for the command that works on their study.

    What a registered version was made of stays.  While a registration is at work everything does: the next trial that
    finishes, or the next command, comes back to it.  A store that does not delete stops nothing; it is said.

    Parameters
    ----------
    study : Study
        Held by the caller.
    stores : Stores
        Of the study.
    say : callable
        Told in one line what could not be done.
    """

    def __init__(self, study: Study, stores: Stores, say: Callable[[str], None]) -> None:
        self.study, self.stores, self._say = study, stores, say
        self._settled: set[str] = set()
        self._untrusted: set[str] = set()
        self._finished = -1
        self._said = ""

    def settle(self) -> None:
        """Let go what has lost by the record, also what a killed command had begun with."""
        keep = self.study.keep
        if keep is not None:
            self._try(lambda: self._settle(keep))

    def after(self, finished: int) -> None:
        """Let go what has lost by the schedule, if another number of trials has finished than at the last call."""
        keep = self.study.keep if finished != self._finished else None
        self._finished = finished
        if keep is not None:
            self._try(lambda: self._release(self._lost(keep), keep))

    def _settle(self, keep: int) -> None:
        recorded = recorded_trials(self.study)
        self._untrusted = {trial.run_id for trial in recorded if trial.problem}
        lost = [trial for trial in losing(self.study, recorded, keep) if trial.finished]
        self._release([trial.run for trial in lost], keep)
        for trial in recorded:
            if is_begun(trial.run) and trial not in lost:
                take_back(self.study.client, trial.run)

    def _lost(self, keep: int) -> list[Run]:
        """Find the runs of finished trials that lost and were not looked at yet: one at most, as a rule."""
        ended = [trial for trial in self.study.finished() if trial.user_attrs.get("run_id") not in self._untrusted]
        ranked = sorted(ended, key=lambda trial: (trial.value, trial.number))
        lost = [str(trial.user_attrs["run_id"]) for trial in ranked[keep:] if trial.user_attrs.get("run_id")]
        found = {run_id: find_run(self.study.client, run_id) for run_id in lost if run_id not in self._settled}
        self._settled |= {run_id for run_id, run in found.items() if run is None}
        ours = [run for run in found.values() if run and is_active(run) and run.info.status == FINISHED]
        kept = registered_runs(self.study.client) if ours else set()
        return [run for run in ours if run.info.run_id not in kept]

    def _release(self, runs: Sequence[Run], keep: int) -> None:
        if not runs:
            return
        with brief_lease(self.stores, registration(self.study.plan.study), wait=0.0):
            for run in runs:
                let_go(self.study.client, run, keep)
                self._settled.add(str(run.info.run_id))

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            why = str(error) if isinstance(error, PatchscaleError) else describe_error(error)
            said = f"weights of trials that lost stay for now: {why}"
            if said != self._said:
                self._say(said)
            self._said = said


def registration(study_name: str) -> str:
    """Name of the lease of whoever registers a trial of a study, and so may read its weights."""
    return part_of(study_name, REGISTRATION_ROLE)


def losing(study: Study, recorded: Sequence[RecordedTrial], keep: int) -> list[RecordedTrial]:
    """Find trials that have ended, are neither among the best, nor of a registered version, nor to be gone on with.

    Those whose weights were let go are left out.

    Parameters
    ----------
    study : Study
        Theirs.
    recorded : sequence of RecordedTrial
        All of them.
    keep : int
        How many are the best.

    Raises
    ------
    InputError
        If none is to be kept, or the registry can't be read.
    """
    if keep < 1:
        raise InputError(f"keep must be at least 1, got {keep}: the best checkpoint is what a study is for")
    ranked = sorted(
        (t for t in recorded if t.finished and t.loss is not None and not t.problem), key=lambda t: (t.loss, t.number)
    )
    kept = {trial.run_id for trial in ranked[:keep]} | _to_be_resumed(study)
    lost = [trial for trial in recorded if trial.run_id not in kept and not (trial.is_running or was_let_go(trial.run))]
    in_use = registered_runs(study.client) if lost else set()
    return [trial for trial in lost if trial.run_id not in in_use]


def registered_runs(client: MlflowClient) -> set[str]:
    """Find the runs that registered versions were made of: their own, and their trials'.

    Raises
    ------
    InputError
        If the registry can't be read.
    """
    from mlflow.exceptions import MlflowException

    try:
        versions = list(every_page(client.search_model_versions))
    except MlflowException as error:
        raise InputError(
            f"the registry must be readable before checkpoints are deleted, got: {describe_error(error)}"
        ) from error
    return {run for each in versions for run in (str(each.run_id), each.tags.get(TRIAL_RUN, ""))}


def let_go(client: MlflowClient, run: Run, keep: int) -> int:
    """Delete the weights of a trial that lost, and say so on its run, whatever a killed command did of it.

    Returns
    -------
    int
        Bytes freed.

    Raises
    ------
    StoreError
        If the store can't delete: then the run says nothing.
    """
    run_id, size = run.info.run_id, checkpoint_bytes(client, run)
    if size is None:
        take_back(client, run)
        return 0
    reason = f"{size} bytes, not among the best {keep}"
    client.set_tag(run_id, DELETED, BEGUN + reason)
    try:
        delete_checkpoint(client, run)
    except StoreError:
        client.delete_tag(run_id, DELETED)
        raise
    client.set_tag(run_id, DELETED, reason)
    return size


def take_back(client: MlflowClient, run: Run) -> None:
    """Bring a deletion that was begun to what is true: not begun where the weights are there, else done."""
    if not is_begun(run):
        return
    if checkpoint_bytes(client, run) is not None:
        client.delete_tag(run.info.run_id, DELETED)
    else:
        client.set_tag(run.info.run_id, DELETED, run.data.tags[DELETED].removeprefix(BEGUN))


def is_begun(run: Run) -> bool:
    """Whether somebody set out to delete the run's weights, and may not have done it."""
    return bool(run.data.tags.get(DELETED, "").startswith(BEGUN))


def was_let_go(run: Run) -> bool:
    """Whether the run's weights were deleted on purpose."""
    return DELETED in run.data.tags and not is_begun(run)


def is_lost(client: MlflowClient, run: Run) -> bool:
    """Whether the weights of a finished run are gone from an embedded store though nobody let them go."""
    tags = run.data.tags
    if (
        DELETED in tags
        or RESTORED in tags
        or all(is_kept(client, run, each) is not False for each in checkpoints_of(run))
    ):
        return False
    return DELETED not in client.get_run(run.info.run_id).data.tags


def weights_in_words(study: Study, recorded: Iterable[RecordedTrial]) -> str:
    """Say whose weights a study keeps, and of how many trials they were let go."""
    finished = [trial for trial in recorded if trial.finished]
    gone = sum(DELETED in trial.run.data.tags for trial in finished)
    rule = "every finished trial" if study.keep is None else f"the best {study.keep}"
    return f"weights of {rule} are kept, those of {gone} of {len(finished)} were let go on purpose"


def _to_be_resumed(study: Study) -> set[str]:
    """Find the runs that interrupted trials go on with, or will when they are queued again."""
    trials = study.schedule.get_trials(deepcopy=False)
    retried = {trial.user_attrs.get("retry_of") for trial in trials}
    runs = {t.user_attrs.get("resume_run") for t in trials if t.state in (TrialState.WAITING, TrialState.RUNNING)}
    runs |= {
        t.user_attrs.get("run_id")
        for t in trials
        if t.user_attrs.get("end") == "interrupted" and t.number not in retried
    }
    return {str(run) for run in runs if run is not None}
