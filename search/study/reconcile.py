"""Reconcile: make Optuna and MLflow agree again after a crash, and say what was done."""

from __future__ import annotations

from collections.abc import Collection

from optuna.trial import FrozenTrial, TrialState

from search.study.heartbeat import alive_elsewhere
from search.study.study import Study
from search.tracking.reader import find_run, is_active
from search.tracking.run import RunWriter
from search.tracking.state import TrainingState
from search.tracking.tags import FAILED, REACHED, RUNNING, TRIAL_NUMBER, TRIAL_ROLE

MAX_RETRIES = 2
"""How often a trial is run again that took its worker with it and got no further than before."""
FIXED_PARAMS = "fixed_params"


def reconcile(study: Study, alive: Collection[int] = (), gone: Collection[int] = ()) -> list[str]:
    """Close what a crash left open and queue its trials again.

    The caller holds the study, so nothing that is RUNNING is alive but what it names and, where other machines do
    not see who holds it, what gives signs of life on one.

    Parameters
    ----------
    study : Study
        To repair.
    alive : collection of int
        Numbers of the trials that workers of the caller run.
    gone : collection of int
        Numbers of those whose workers it saw end.

    Returns
    -------
    list of str
        What was done, one line each; empty if the stores agreed.
    """
    alive = {*alive, *alive_elsewhere(study.schedule)} - {*gone}
    trials = study.schedule.get_trials(deepcopy=False)
    running = [t for t in trials if t.state == TrialState.RUNNING and t.number not in alive]
    done = [_close_trial(study, trial) for trial in running]
    done += _close_runs(study, alive)
    done += _requeue(study)
    return done


def close_stale(study: Study, role: str) -> None:
    """End runs of this role that a kill left RUNNING; the caller's lock says that nobody works on them."""
    for run in study.runs(role, status=RUNNING):
        RunWriter(study.client, run.info.run_id).interrupt("killed")


def _close_trial(study: Study, trial: FrozenTrial) -> str:
    """Finish a stale trial whose run is whole, else fail it as interrupted."""
    run_id = trial.user_attrs.get("run_id")
    run = find_run(study.client, run_id) if run_id else None
    storage_id = trial._trial_id
    if run is not None and run.info.status == "FINISHED" and "result" in trial.user_attrs:
        study.schedule.tell(trial.number, float(trial.user_attrs["result"]["loss"]))
        return f"trial {trial.number} had finished: completed it from its run {run.info.run_id[:8]}"
    if int(trial.user_attrs.get("retries", 0)) >= MAX_RETRIES and not _got_further(study, trial):
        return _give_up(study, trial)
    study.schedule._storage.set_trial_user_attr(storage_id, "end", "interrupted")
    study.schedule.tell(trial.number, state=TrialState.FAIL)
    return f"trial {trial.number} was interrupted: closed it"


def _close_runs(study: Study, alive: Collection[int]) -> list[str]:
    """End every run of the study's trials that still says RUNNING."""
    kept = {str(number) for number in alive}
    stale = [run for run in study.runs(TRIAL_ROLE, status=RUNNING) if run.data.tags[TRIAL_NUMBER] not in kept]
    for run in stale:
        RunWriter(study.client, run.info.run_id).interrupt()
    return [f"run {run.info.run_id[:8]} said RUNNING: ended it KILLED" for run in stale]


def _requeue(study: Study) -> list[str]:
    """Queue every interrupted trial again that has not been, with the same parameters."""
    trials = study.schedule.get_trials(deepcopy=False)
    retried = {trial.user_attrs.get("retry_of") for trial in trials}
    done = []
    for trial in trials:
        if trial.user_attrs.get("end") != "interrupted" or trial.number in retried:
            continue
        retries = int(trial.user_attrs.get("retries", 0))
        params = {**trial.system_attrs.get(FIXED_PARAMS, {}), **trial.params}
        is_blamed = trial.user_attrs.get("stopped_by") != "user" and not _got_further(study, trial)
        attributes = {"retry_of": trial.number, "retries": retries + is_blamed}
        if "run_id" in trial.user_attrs:
            attributes["resume_run"] = trial.user_attrs["run_id"]
        if "forced" in trial.user_attrs:
            attributes["forced"] = trial.user_attrs["forced"]
        study.schedule.enqueue_trial(params, user_attrs=attributes)
        done.append(f"trial {trial.number} will be run again with the same parameters")
    return done


def _got_further(study: Study, trial: FrozenTrial) -> bool:
    """Whether a trial ended more epochs than the one that it repeats: then it is not what its worker died of."""
    earlier = trial.user_attrs.get("retry_of")
    before = 0 if earlier is None else _epochs(study.schedule.get_trials(deepcopy=False)[earlier])
    return _epochs(trial) > before


def _epochs(trial: FrozenTrial) -> int:
    """Epochs that a trial ended, of all its trainings; of one training every epoch was reported."""
    return int(trial.user_attrs.get(REACHED) or max(trial.intermediate_values, default=0))


def _give_up(study: Study, trial: FrozenTrial) -> str:
    """Fail a trial that took its worker with it every time and got no further."""
    reason = f"its worker died {MAX_RETRIES + 1} times; memory is the usual cause"
    study.schedule._storage.set_trial_user_attr(trial._trial_id, "end", "failed")
    study.schedule._storage.set_trial_user_attr(trial._trial_id, "error", reason)
    study.schedule.tell(trial.number, state=TrialState.FAIL)
    run_id = trial.user_attrs.get("run_id")
    if run_id:
        run = find_run(study.client, run_id)
        if run is not None and is_active(run):
            RunWriter(study.client, run_id).end(FAILED, reason)
        TrainingState(study.client, run_id, study.training_state(run_id)).remove()
    return f"trial {trial.number} failed: {reason}"
