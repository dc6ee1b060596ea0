"""Audit of an imported study: what its sources say, what they do not, and what is wrong in the import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.exceptions import StoreError
from search.legacy.record.runs import COMPARABLE
from search.legacy.record.states import imported_studies
from search.space.extremes import EXTREME_AXES
from search.tracking.tags import FINISHED, REASON, STUDY

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

UNKNOWN = "unknown"
WIDTH = 12


def audit_imported(client: MlflowClient, name: str) -> dict[str, Any] | None:
    """Say what an imported study holds; None if there is none of this name.

    Parameters
    ----------
    client : MlflowClient
        Of the tracking store.
    name : str
        As ``status`` shows it, as its sources call the study, or the id of its run.

    Raises
    ------
    StoreError
        If several have the name.
    """
    found = _find(imported_studies(client), name)
    if not found:
        return None
    if len(found) > 1:
        shown = ", ".join(f"{parent.info.run_name} ({parent.info.run_id[:8]})" for parent, _ in found)
        raise StoreError(f"a name must be that of one imported study, got {name} for {shown}; give the id of one")
    parent, trials = found[0]
    return _audit(parent, trials)


def imported_in_words(audit: dict[str, Any]) -> list[str]:
    """Lines of an audit: values that trials have, ends, what is unknown, what is missing."""
    finished, trials = audit["finished"], audit["trials"]
    lines = [f"study {audit['study']}: imported from {audit['sources']}; {finished} of {trials} trials finished"]
    lines += ["", "values, with trials at each"]
    for axis, counts in audit["values"].items():
        tested = ", ".join(f"{value} ({count})" for value, count in counts.items())
        lines.append(f"  {axis:<{WIDTH}}{tested or UNKNOWN}")
    lines += ["", "ends", *(f"  {count} {reason}" for reason, count in audit["ends"].items())]
    lines += ["", "unknown", *(f"  {line}" for line in audit["unknown"])]
    missing = [f"  {line}" for line in audit["missing"]]
    return [*lines, "", *(["missing", *missing] if missing else ["nothing is known to be missing"])]


def _find(studies: Sequence[tuple[Run, list[Run]]], name: str) -> list[tuple[Run, list[Run]]]:
    by_run = [each for each in studies if name in (each[0].info.run_name, each[0].info.run_id)]
    return by_run or [
        each for each in studies if name == each[0].data.tags.get(STUDY) or each[0].info.run_id.startswith(name)
    ]


def _audit(parent: Run, trials: Sequence[Run]) -> dict[str, Any]:
    finished = [run for run in trials if run.info.status == FINISHED]
    values = {axis: _counts(finished, axis) for axis in (*EXTREME_AXES, "d_ff")}
    without_result = [run for run in finished if not any(name.startswith("best/") for name in run.data.metrics)]
    missing = {
        "trial{s} unfinished in the source": sum(
            run.data.tags.get(REASON, "").startswith("unfinished") for run in trials
        ),
        "trial{s} of mixed studies, kept out of comparisons": sum(COMPARABLE in run.data.tags for run in trials),
        "finished trial{s} without a result to compare": sum(COMPARABLE not in run.data.tags for run in without_result),
    }
    lines = [f"{count} {words.format(s='' if count == 1 else 's')}" for words, count in missing.items() if count]
    lines += ["the import was interrupted: repeat it"] if parent.info.status != FINISHED else []
    return {
        "study": parent.info.run_name,
        "imported": True,
        "sources": parent.data.tags.get("legacy.file", UNKNOWN),
        "trials": len(trials),
        "finished": len(finished),
        "target": None,
        "values": values,
        "ends": dict(Counter(run.data.tags.get(REASON, UNKNOWN) for run in trials).most_common()),
        "extremes": None,
        "flagged": sum("legacy.flags" in run.data.tags for run in trials),
        "unknown": _unknown(trials),
        "missing": lines,
        "whole": None if not lines else False,
        "run_id": parent.info.run_id,
    }


def _counts(finished: Sequence[Run], axis: str) -> dict[int, int]:
    counts = Counter(int(run.data.params[axis]) for run in finished if run.data.params.get(axis, "").isdecimal())
    return dict(sorted(counts.items()))


def _unknown(trials: Sequence[Run]) -> list[str]:
    """Say what no source says: how many trials were asked for, the grid, the data; and what some trials lack."""
    lines = ["how many trials were to be run, and so whether it is complete", "its grid, and so its extremes"]
    lines.append("the data, split and base rate, and so the skill of any result")
    for name in ("budget", "horizon", *EXTREME_AXES, "d_ff", "learning_rate"):
        lacking = sum(name not in run.data.params for run in trials)
        lines += [f"{name} of {lacking} of {len(trials)} trials"] if lacking else []
    unnamed = sum("best/objective" in run.data.metrics for run in trials)
    return [*lines, *([f"what the value of {unnamed} of {len(trials)} trials is"] if unnamed else [])]
