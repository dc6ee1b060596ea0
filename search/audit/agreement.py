"""Agreement: whether schedule and record, the two stores, say the same of every finished trial."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from optuna.trial import FrozenTrial, TrialState

from search.results.trial_runs import RecordedTrial, runs_of


def disagreements(
    schedule: Sequence[FrozenTrial], recorded: Sequence[RecordedTrial], *, running: bool
) -> Iterator[str]:
    """Compare the stores, trial by trial.

    Parameters
    ----------
    schedule : sequence of FrozenTrial
        Of Optuna, read before the record.
    recorded : sequence of RecordedTrial
        Of MLflow.
    running : bool
        Whether somebody works on the study: a trial that ends just now is told to the schedule last.

    Yields
    ------
    str
        What differs, in words.
    """
    finished = [trial for trial in schedule if trial.state == TrialState.COMPLETE and "reuses" not in trial.user_attrs]
    held = runs_of(finished, recorded)
    for trial, run in zip(finished, held, strict=True):
        difference = _difference(trial, run)
        if difference:
            yield f"trial {trial.number} is complete in the schedule, but {difference}"
    named = {run.run_id for run in held if run is not None}
    for unnamed in (trial for trial in recorded if trial.finished and trial.run_id not in named):
        if not running:
            yield f"{unnamed.name} is finished in the record, but no finished trial of the schedule names it"


def _difference(trial: FrozenTrial, recorded: RecordedTrial | None) -> str:
    attributes = trial.user_attrs
    if "run_id" not in attributes:
        return "names no run"
    if recorded is None:
        return f"the record has no run {attributes['run_id'][:8]}"
    if not recorded.finished:
        return f"run {recorded.run_id[:8]} is {recorded.run.info.status}"
    if recorded.loss != trial.value:
        return f"its loss is {trial.value!r} there and {recorded.loss!r} in run {recorded.run_id[:8]}"
    if recorded.spec is not None and recorded.spec.hash != attributes.get("spec_hash"):
        return f"its spec is {attributes.get('spec_hash')} there and {recorded.spec.hash} in run {recorded.run_id[:8]}"
    return ""
