"""Restore: what one store lost comes back from the other, where it can."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial

from model.spec.spec import Spec
from pipeline.exceptions import PatchscaleError, RecordError
from search.study.life_cycle import find_or_create_experiment
from search.study.study import EXPERIMENT_ID, RUN_ID, Study, make_parent_run
from search.study.trial_run import spec_attributes, start_trial, trial_result
from search.tracking.reader import find_experiment, find_run, is_active
from search.tracking.stores import Stores
from search.tracking.tags import FINISHED, PARENT, RESTORED, TRIAL_NUMBER, TRIAL_ROLE

if TYPE_CHECKING:
    from mlflow.entities import Run

NOT_REPAIRED = "not repaired: "
"""Beginning of a line that says what could not be done."""


def restore(study: Study) -> tuple[Study, list[str]]:
    """Give every finished trial its run, and every finished run its trial.

    An experiment or a run that was deleted is undeleted; one that is gone for good is made anew from the schedule, with
    its spec and result but without epochs and artifacts.  A finished run that no trial names becomes a trial.
    The caller holds the study's lock.

    Returns
    -------
    Study
        The same, with its experiment and its run.
    list of str
        What was done or could not be done, one line each; empty if nothing was missing.
    """
    study, done = _restore_experiment(study)
    study, more = _restore_parent(study)
    done += more
    runs = {run.info.run_id: run for run in study.runs(TRIAL_ROLE, deleted=True)}
    for trial in study.finished():
        done += _restore_run(study, trial, runs)
    named = {trial.user_attrs.get("run_id") for trial in study.schedule.get_trials(deepcopy=False)}
    known = {trial.user_attrs.get("spec_hash") for trial in study.finished()}
    for run in sorted(runs.values(), key=lambda each: each.info.start_time):
        whole = run.info.status == FINISHED and is_active(run)
        if whole and run.info.run_id not in named and RESTORED not in run.data.tags:
            done.append(_restore_trial(study, run, known))
    return study, done


def _restore_experiment(study: Study) -> tuple[Study, list[str]]:
    experiment = find_experiment(study.client, study.experiment_id)
    if experiment is None:
        stores = Stores(tracking_uri=str(study.client.tracking_uri), storage_uri="", home=study.home)
        made = find_or_create_experiment(study.client, stores, study.plan.experiment)
        study.schedule.set_user_attr(EXPERIMENT_ID, made)
        return replace(study, experiment_id=made), [f"the study's experiment was gone: it stands in {made} now"]
    if is_active(experiment):
        return study, []
    study.client.restore_experiment(study.experiment_id)
    return study, [f"experiment {experiment.name} was deleted: restored it with its runs"]


def _restore_parent(study: Study) -> tuple[Study, list[str]]:
    run = find_run(study.client, study.run_id)
    if run is None:
        run_id = make_parent_run(study.client, study.experiment_id, study.plan)
        study.client.set_tag(run_id, RESTORED, "schedule")
        study.schedule.set_user_attr(RUN_ID, run_id)
        for each in study.runs(tags={PARENT: study.run_id}):
            study.client.set_tag(each.info.run_id, PARENT, run_id)
        study = replace(study, run_id=run_id)
        done = [f"the study's run was gone: made {run_id[:8]} in its place"]
    elif is_active(run):
        return study, []
    else:
        study.client.restore_run(study.run_id)
        done = [f"the study's run {study.run_id[:8]} was deleted: restored it"]
    study.say_settings()
    return study, done


def _restore_run(study: Study, trial: FrozenTrial, runs: dict[str, Run]) -> list[str]:
    run_id = str(trial.user_attrs.get("run_id"))
    run = runs.get(run_id) or _remade(trial, runs)
    if run is None:
        return [_remake_run(study, trial)]
    done, run_id = [], str(run.info.run_id)
    if not is_active(run):
        study.client.restore_run(run_id)
        done.append(f"run {run_id[:8]} of trial {trial.number} was deleted: restored it")
    if run.info.status != "FINISHED":
        study.client.set_terminated(run_id, "FINISHED")
        done.append(f"run {run_id[:8]} of trial {trial.number} said {run.info.status}: ended it FINISHED")
    return done


def _remade(trial: FrozenTrial, runs: dict[str, Run]) -> Run | None:
    """Find the run that an earlier repair made in place of a trial's own."""
    made = (each for each in runs.values() if RESTORED in each.data.tags)
    return next((each for each in made if each.data.params.get("spec_hash") == trial.user_attrs.get("spec_hash")), None)


def _remake_run(study: Study, trial: FrozenTrial) -> str:
    """Record a finished trial anew from what the schedule knows of it."""
    space = study.plan.space()
    spec = study.plan.spec(space.decode(trial.params), {name: trial.params[name] for name in space.training})
    if spec.hash != trial.user_attrs.get("spec_hash") or "result" not in trial.user_attrs:
        unknown = "its spec or its result is not known"
        return f"{NOT_REPAIRED}trial {trial.number} has no run and can't be recorded anew: {unknown}"
    writer = start_trial(study, trial.number, spec, device="unknown", tags={RESTORED: "schedule"})
    figures = {name: value for name, value in trial.user_attrs["result"].items() if isinstance(value, float)}
    seconds = figures.pop("seconds")
    writer.log({**{f"best/{name}": value for name, value in figures.items()}, "seconds": seconds})
    writer.end(FINISHED)
    return f"trial {trial.number} had no run: recorded it anew as {writer.run_id[:8]}, without epochs and artifacts"


def _restore_trial(study: Study, run: Run, known: set[Any]) -> str:
    """Enter a finished run into the schedule."""
    name = run.info.run_id[:8]
    try:
        spec = Spec.from_params(run.data.params)
        _require_own(study, spec)
    except PatchscaleError as error:
        return f"{NOT_REPAIRED}run {name} is in no schedule and can't be entered: {error}"
    if spec.hash in known:
        return f"{NOT_REPAIRED}run {name} is in no schedule and holds the spec of a finished trial: left it alone"
    space, metrics = study.plan.space(), run.data.metrics
    scores = {name.removeprefix("best/"): value for name, value in metrics.items() if name.startswith("best/")}
    result = trial_result(spec, scores, epochs=int(metrics["n_epochs"]), seconds=metrics["seconds"])
    attributes = {**spec_attributes(spec), "run_id": run.info.run_id, "restored": True, "result": result}
    if "forced" in run.data.tags:
        attributes["forced"] = run.data.tags["forced"]
    training = study.plan.drawn_of(spec.training)
    study.schedule.add_trial(
        optuna.trial.create_trial(
            params={**space.encode(spec.architecture), **training},
            distributions=space.distributions(),
            value=metrics["best/loss"],
            user_attrs=attributes,
        )
    )
    known.add(spec.hash)
    number = study.schedule.get_trials(deepcopy=False)[-1].number
    study.client.set_tag(run.info.run_id, TRIAL_NUMBER, str(number))
    return f"run {name} was in no schedule: entered it as trial {number}"


def _require_own(study: Study, spec: Spec) -> None:
    own = study.plan.spec(spec.architecture, study.plan.drawn_of(spec.training))
    if own != spec:
        different = own.differences(spec.params())
        raise RecordError("; ".join(f"{name} {there} there, {here} here" for name, (there, here) in different.items()))
