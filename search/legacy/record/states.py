"""What was imported, for the status table: from the record alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from search.legacy.record.present import legacy_runs
from search.legacy.record.runs import N_HEADS
from search.legacy.recover.architecture import UNKNOWN
from search.legacy.recover.trial import FINISHED
from search.tracking.tags import LEGACY_STUDY_ROLE, PARENT, ROLE

if TYPE_CHECKING:
    from mlflow import MlflowClient


def legacy_states(client: MlflowClient) -> list[dict[str, Any]]:
    """One dictionary an imported study: its trials, how many are of unknown head count, the best loss.

    ``best_loss`` is None where no finished trial has a value that its source calls a loss.
    """
    runs = legacy_runs(client)
    parents = {run.info.run_id: run for run in runs if run.data.tags.get(ROLE) == LEGACY_STUDY_ROLE}
    trials: dict[str, list[Any]] = {run_id: [] for run_id in parents}
    for run in runs:
        if run.data.tags.get(PARENT) in trials:
            trials[run.data.tags[PARENT]].append(run)
    states = [_state(parent, trials[run_id]) for run_id, parent in parents.items()]
    return sorted(states, key=lambda state: (state["study"], state["run_id"]))


def _state(parent: Any, trials: list[Any]) -> dict[str, Any]:
    finished = [run.data.metrics for run in trials if run.info.status == FINISHED]
    unknown = sum(run.data.tags.get(N_HEADS) == UNKNOWN for run in trials)
    interrupted = parent.info.status != FINISHED
    issues = (
        f"{len(trials)} imported trials",
        f"n_heads unknown in {unknown} imported trials" if unknown else "",
        "import interrupted: repeat it" if interrupted else "",
    )
    return {
        "study": parent.info.run_name,
        "state": "import interrupted" if interrupted else "imported",
        "imported": len(trials),
        "n_heads_unknown": unknown,
        "best_loss": min((found["best/loss"] for found in finished if "best/loss" in found), default=None),
        "issues": [issue for issue in issues if issue],
        "run_id": parent.info.run_id,
    }
