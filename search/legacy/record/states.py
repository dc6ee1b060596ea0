"""What was imported, for the status table: from the record alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from search.legacy.record.present import legacy_runs
from search.legacy.record.runs import BEST, COMPARABLE, DIRECTION, FILE, N_HEADS
from search.legacy.recover.architecture import UNKNOWN
from search.legacy.recover.trial import FINISHED
from search.tracking.tags import LEGACY_STUDY_ROLE, PARENT, ROLE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def legacy_states(client: MlflowClient) -> list[dict[str, Any]]:
    """One dictionary an imported study: its trials, how many are of unknown head count, the best loss.

    ``best_loss`` is None where no finished trial has a value that its source calls a loss.
    """
    states = [_state(parent, trials) for parent, trials in imported_studies(client)]
    return sorted(states, key=lambda state: (state["study"], state["run_id"]))


def imported_studies(client: MlflowClient) -> list[tuple[Run, list[Run]]]:
    """Every imported study, with the runs of its trials."""
    runs = legacy_runs(client)
    parents = {run.info.run_id: run for run in runs if run.data.tags.get(ROLE) == LEGACY_STUDY_ROLE}
    trials: dict[str, list[Run]] = {run_id: [] for run_id in parents}
    for run in runs:
        if run.data.tags.get(PARENT) in trials:
            trials[run.data.tags[PARENT]].append(run)
    return [(parent, trials[run_id]) for run_id, parent in parents.items()]


def common(trials: Sequence[Run], name: str) -> str | None:
    """Param that every trial has alike; None where one lacks it or they differ."""
    found = {run.data.params.get(name) for run in trials}
    return found.pop() if len(found) == 1 else None


def best_value(trials: Sequence[Run], metric: str, *, highest: bool) -> float | None:
    """Best of the finished trials; None where none has this metric."""
    values = [run.data.metrics[metric] for run in trials if run.info.status == FINISHED and metric in run.data.metrics]
    return (max if highest else min)(values, default=None)


def _state(parent: Run, trials: Sequence[Run]) -> dict[str, Any]:
    unknown = sum(run.data.tags.get(N_HEADS) == UNKNOWN for run in trials)
    mixed = sum(COMPARABLE in run.data.tags for run in trials)
    interrupted = parent.info.status != FINISHED
    budget, horizon = common(trials, "budget"), common(trials, "horizon")
    directions = {run.data.tags.get(DIRECTION) for run in trials}
    issues = (
        f"{len(trials)} imported trials",
        f"n_heads unknown in {unknown} imported trials" if unknown else "",
        f"{mixed} of mixed studies, kept out of comparisons" if mixed else "",
        "import interrupted: repeat it" if interrupted else "",
    )
    return {
        "study": parent.info.run_name,
        **({} if budget is None else {"budget": budget}),
        **({} if horizon is None else {"horizon": int(horizon)}),
        "state": "import interrupted" if interrupted else "imported",
        "imported": len(trials),
        "imported_finished": sum(run.info.status == FINISHED for run in trials),
        "mixed": mixed,
        "n_heads_unknown": unknown,
        "best_loss": best_value(trials, f"{BEST}loss", highest=False),
        "best_roc_auc": best_value(trials, f"{BEST}roc_auc", highest=True),
        "best_objective": None
        if len(directions) != 1 or None in directions
        else best_value(trials, f"{BEST}objective", highest=directions == {"maximize"}),
        "sources": parent.data.tags.get(FILE, UNKNOWN),
        "issues": [issue for issue in issues if issue],
        "run_id": parent.info.run_id,
    }
