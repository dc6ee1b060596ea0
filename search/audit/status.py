"""Status of every study, from the stores alone, also while workers run."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from pipeline.exceptions import PatchscaleError
from search.audit.audit import Audit, audit_study
from search.audit.text import issues_in_words
from search.legacy.record.states import legacy_states
from search.results.influence import Influence, influence_of, influence_of_study
from search.results.trial_runs import read_trial, recorded_trials
from search.study.life_cycle import recorded_studies
from search.study.study import PLAN, RUN_ID, Study, load_study
from search.tracking.holder import Holder
from search.tracking.lease import holders, is_seen_everywhere
from search.tracking.reader import find_run, find_runs, matching
from search.tracking.stores import Stores, open_storage, open_tracking
from search.tracking.tags import FINISHED, ROLE, RUNNING, STUDY, TRIAL_ROLE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

STOPPED = "stopped"


def study_states(stores: Stores) -> list[dict[str, Any]]:
    """One dictionary a study: what was asked, what is done, its state, best result and issues.

    Imported studies, which patchscale did not run, come last.  A row has at least ``study``, ``state`` and
    ``issues`` (a list of texts); every other field may be absent, and is then shown as unknown.
    """
    client, storage = open_tracking(stores), open_storage(stores)
    recorded = recorded_studies(client)
    names = sorted(s.study_name for s in optuna.get_all_study_summaries(storage) if {PLAN, RUN_ID} <= set(s.user_attrs))
    held, states = holders(stores, names), []
    for name in names:
        try:
            study = load_study(stores, name, client=client, storage=storage)
            states.append(_state(study, held.get(name), everywhere=is_seen_everywhere(stores)))
        except PatchscaleError as error:
            states.append({"study": name, "state": "unreadable", "reason": str(error), "issues": [str(error)]})
    lost = [_without_schedule(client, run) for name, run in sorted(recorded.items()) if name not in names]
    return states + lost + legacy_states(client)


def _state(study: Study, holder: Holder | None, *, everywhere: bool) -> dict[str, Any]:
    running = holder is not None
    trials = study.schedule.get_trials(deepcopy=False)
    recorded = recorded_trials(study)
    audit = audit_study(study, running=running, recorded=recorded)
    finished = study.finished()
    best = min(finished, key=lambda t: t.values[0], default=None)
    result = best.user_attrs["result"] if best else {}
    workers = sum(t.state == TrialState.RUNNING for t in trials) if running else 0
    target = study.plan.target
    return {
        "study": study.plan.study,
        "budget": study.plan.budget,
        "horizon": target.horizon,
        "threshold": target.threshold,
        "predicts": f"{target.rule} {target.threshold * 100:+g} %",
        "finished": audit.finished,
        "target": audit.target,
        **_progress(audit, trials, running=running, stopped=study.schedule.user_attrs.get(STOPPED)),
        **({} if holder is None else {"held_by": str(holder), "host": holder.host}),
        "workers": workers,
        "seconds_left": seconds_left(finished, audit.target - audit.finished, workers),
        "failed": audit.failed,
        "extremes": f"{sum(audit.extremes.values())} of {len(audit.extremes)}",
        "best_architecture": result.get("label"),
        "best_loss": result.get("loss"),
        "base_rate_loss": result.get("base_rate_loss"),
        "best_skill": result.get("skill"),
        "best_roc_auc": result.get("roc_auc"),
        "issues": issues_in_words(audit) + _left_running(study, trials, running, everywhere),
        **_said(influence_of_study(study, recorded)),
        "record_schema": study.record_schema,
        "run_id": study.run_id,
    }


def _said(influence: Influence) -> dict[str, Any]:
    """Say what of the architecture had a say: in one line, and with its figures."""
    return {"note": influence.note, "influence": influence.to_dict()} if influence.attention.n_trials else {}


def _without_schedule(client: MlflowClient, run: Run) -> dict[str, Any]:
    """Say what the record alone tells of a study whose schedule Optuna has no more."""
    name, params = run.data.tags[STUDY], run.data.params
    finished = matching({STUDY: name, ROLE: TRIAL_ROLE}, status=FINISHED)
    runs = find_runs(client, [run.info.experiment_id], finished)
    trials = [trial.data.metrics for trial in runs]
    best = min((trial for trial in trials if "best/loss" in trial), key=lambda trial: trial["best/loss"], default={})
    known = {
        "best_loss": best.get("best/loss"),
        "base_rate_loss": best.get("best/base_rate_loss"),
        "best_skill": best.get("best/skill"),
        "best_roc_auc": best.get("best/roc_auc"),
        "budget": params.get("budget"),
        "horizon": params.get("horizon"),
        "target": run.data.tags.get("study.target_trials"),
    }
    row = {field: value for field, value in known.items() if value is not None}
    row |= {field: int(row[field]) for field in ("horizon", "target") if field in row}
    issues = ["schedule lost, repeat its hpo to restore it"]
    return {
        "study": name,
        "state": "schedule lost",
        **row,
        "finished": len(trials),
        "issues": issues,
        **_said(influence_of([read_trial(trial) for trial in runs])),
        "run_id": run.info.run_id,
    }


def _progress(audit: Audit, trials: list[FrozenTrial], *, running: bool, stopped: str | None) -> dict[str, str]:
    """State in one word, and what stopped it if something did."""
    if running:
        return {"state": "running"}
    if audit.finished >= audit.target:
        return {"state": "complete"}
    if stopped:
        return {"state": "stopped", "stopped_by": stopped}
    tried = any(trial.state != TrialState.WAITING for trial in trials)
    return {"state": "incomplete" if tried else "queued"}


def seconds_left(finished: list[FrozenTrial], remaining: int, workers: int) -> float | None:
    """Trials that remain, times the median seconds of a finished one, shared by the workers; None is unknown."""
    seconds = [trial.user_attrs["result"]["seconds"] for trial in finished]
    return max(remaining, 0) * median(seconds) / workers if seconds and workers else None


def _left_running(study: Study, trials: list[FrozenTrial], running: bool, everywhere: bool) -> list[str]:
    """Notice a run that a crash left RUNNING.

    Where a lease is not seen from everywhere, it could also be at work on another machine.
    """
    tried = any(trial.state != TrialState.WAITING for trial in trials)
    run = find_run(study.client, study.run_id)
    if running or not tried or run is None or run.info.status != RUNNING:
        return []
    return [f"says RUNNING, but no command{'' if everywhere else ' on this machine'} works on it: repeat its hpo"]
