"""Status of every study, from the stores alone."""

from __future__ import annotations

import fcntl
import os
from typing import Any

import optuna

from pipeline.exceptions import PatchscaleError
from search.coverage import extremes
from search.grid import AXES
from search.stores import Stores, lock_path, open_storage, open_tracking
from search.study import PLAN, RUN_ID, Study, load_study


def study_states(stores: Stores) -> list[dict[str, Any]]:
    """One dictionary a study: what was asked, what is done, its state and best result."""
    client, storage = open_tracking(stores), open_storage(stores)
    names = sorted(s.study_name for s in optuna.get_all_study_summaries(storage) if {PLAN, RUN_ID} <= set(s.user_attrs))
    states = []
    for name in names:
        try:
            states.append(_state(stores, load_study(stores, name, client=client, storage=storage)))
        except PatchscaleError as error:
            states.append({"study": name, "state": "unreadable", "reason": str(error)})
    return states


def _state(stores: Stores, study: Study) -> dict[str, Any]:
    trials = study.schedule.get_trials(deepcopy=False)
    finished = study.finished()
    best = min(finished, key=lambda t: t.values[0], default=None)
    result = best.user_attrs["result"] if best else {}
    return {
        "study": study.plan.study,
        "budget": study.plan.budget,
        "horizon": study.plan.target.horizon,
        "threshold": study.plan.target.threshold,
        "finished": len(finished),
        "target": study.target_trials,
        "state": _word(study, len(finished), is_locked(stores, study.plan.study)),
        "failed": sum(t.user_attrs.get("end") == "failed" for t in trials),
        "extremes": _coverage(study, finished),
        "best_architecture": result.get("label"),
        "best_loss": result.get("loss"),
        "base_rate_loss": result.get("base_rate_loss"),
        "best_skill": result.get("skill"),
        "best_roc_auc": result.get("roc_auc"),
        "run_id": study.run_id,
    }


def _word(study: Study, finished: int, locked: bool) -> str:
    if locked:
        return "running"
    if finished >= study.target_trials:
        return "complete"
    return "incomplete" if study.is_begun() else "queued"


def _coverage(study: Study, finished: list[optuna.trial.FrozenTrial]) -> str:
    wanted = [tuple(getattr(a, axis) for axis in AXES) for a in extremes(study.plan.grid())]
    done = {tuple(t.user_attrs[axis] for axis in AXES) for t in finished}
    return f"{sum(w in done for w in wanted)} of {len(wanted)}"


def is_locked(stores: Stores, study_name: str) -> bool:
    """Whether a command on this machine works on the study."""
    path = lock_path(stores, study_name)
    if not path.exists():
        return False
    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
