"""What was imported, for the status table: from the record alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from search.legacy.architecture import UNKNOWN
from search.legacy.present import legacy_runs
from search.legacy.runs import N_HEADS, STUDY_ROLE
from search.legacy.trial import FINISHED
from search.record import PARENT, ROLE

if TYPE_CHECKING:
    from mlflow import MlflowClient


def legacy_states(client: MlflowClient) -> list[dict[str, Any]]:
    """One dictionary an imported study: its trials, how many are of unknown head count, the best loss.

    ``best_loss`` is None where no finished trial has a value that its source calls a loss.
    """
    runs = list(legacy_runs(client))
    parents = {run.info.run_id: run for run in runs if run.data.tags.get(ROLE) == STUDY_ROLE}
    trials: dict[str, list[Any]] = {run_id: [] for run_id in parents}
    for run in runs:
        if run.data.tags.get(PARENT) in trials:
            trials[run.data.tags[PARENT]].append(run)
    states = [_state(parent, trials[run_id]) for run_id, parent in parents.items()]
    return sorted(states, key=lambda state: (state["study"], state["run_id"]))


def _state(parent: Any, trials: list[Any]) -> dict[str, Any]:
    losses = [
        run.data.metrics["best/loss"]
        for run in trials
        if run.info.status == FINISHED and "best/loss" in run.data.metrics
    ]
    return {
        "study": parent.info.run_name,
        "state": "imported" if parent.info.status == FINISHED else "import interrupted",
        "imported": len(trials),
        "n_heads_unknown": sum(run.data.tags.get(N_HEADS) == UNKNOWN for run in trials),
        "best_loss": min(losses, default=None),
        "run_id": parent.info.run_id,
    }


def state_line(state: dict[str, Any]) -> str:
    """One imported study on one line.

    Examples
    --------
    >>> state_line({"study": "s_h1", "state": "imported", "imported": 50, "n_heads_unknown": 12, "best_loss": None})
    's_h1: 50 imported trials, n_heads unknown in 12 imported trials, best loss unknown'
    """
    loss = "unknown" if state["best_loss"] is None else f"{state['best_loss']:.4f}"
    interrupted = "" if state["state"] == "imported" else " (interrupted; repeat the import)"
    return (
        f"{state['study']}: {state['imported']} imported trials{interrupted}, n_heads unknown in "
        f"{state['n_heads_unknown']} imported trials, best loss {loss}"
    )
