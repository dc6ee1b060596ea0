"""The baselines of a study: one MLflow run each, beside its trials, on the same days."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from rich.table import Table

from model.baselines import BASELINES, Baseline, FittedBaseline, fit_baseline
from model.metrics import evaluate, skill_over
from model.spec.migrations import RECORD_SCHEMA, identity
from model.spec.spec import flatten
from model.windows import Windows, make_windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import describe_error, shortened
from search.results.class_counts import validation_counts
from search.results.trials_table import trials_table
from search.study.reconcile import close_stale
from search.study.study import Study, load_study
from search.study.trial_run import SCORES
from search.tracking.artifacts import PREDICTIONS, is_kept
from search.tracking.lease import brief_lease
from search.tracking.locks import part_of
from search.tracking.note import PREVIEW_DAYS, chosen_in_words, evaluation_note
from search.tracking.run import RunWriter
from search.tracking.stores import Stores
from search.tracking.tags import BASELINE_ROLE, COLOUR, FINISHED, NOTE, TRIAL_ROLE
from search.trial.inputs import study_entities
from search.trial.parts import folds_of
from search.trial.remarks import trial_remarks

if TYPE_CHECKING:
    from rich.console import Console

SETTINGS_HASH = "settings_hash"
SKILL_OVER = "best/skill_over_baseline"
GREY = "#8c8c8c"


@dataclass(frozen=True, kw_only=True, slots=True)
class Logged:
    """One baseline in the record.

    Parameters
    ----------
    name, run_id : str
        Of the baseline and of its run.
    reused : bool
        Whether an earlier command had logged it.
    metrics : dict
        As logged; empty if it failed.
    error : str
        Why it failed; empty if it did not.
    """

    name: str
    run_id: str
    reused: bool
    metrics: dict[str, float]
    error: str = ""


def run_baselines(stores: Stores, name: str, console: Console) -> int:
    """Log the baselines of a study that are not there yet, and print all of them beside its best trial.

    Returns
    -------
    int
        Exit code: 0, or 1 if a baseline failed.

    Raises
    ------
    StoreError
        If there is no such study.
    """
    study = load_study(stores, name)
    with brief_lease(stores, part_of(name, "baselines")):
        logged = log_baselines(study)
    n_reused = sum(each.reused for each in logged)
    for each in logged:
        if each.error:
            console.print(f"{each.name} failed: {each.error}", markup=False)
    console.print(
        f"study {name}: {len(logged) - n_reused} baselines run, {n_reused} already there with the same settings",
        markup=False,
    )
    console.print(_table(study, logged))
    return 1 if any(each.error for each in logged) else 0


def log_baselines(study: Study) -> list[Logged]:
    """Fit, evaluate and log every baseline that has no finished run with the same settings in this study.

    Every finished trial then carries its skill over the best of them, as the
    metric ``best/skill_over_baseline``.
    """
    close_stale(study, BASELINE_ROLE)
    found = {name: _find(study, baseline_params(study, baseline)) for name, baseline in BASELINES.items()}
    if any(each is None for each in found.values()):
        dataset, pooled = study.load_data()
        plan = study.plan
        data = dataset, pooled, make_windows(dataset, plan.target, plan.split, plan.context_length, pooled=pooled)
    logged = [each or _log(study, BASELINES[name], *data) for name, each in found.items()]
    _carry_skill(study, logged)
    return logged


def baseline_params(study: Study, baseline: Baseline) -> dict[str, str]:
    """Everything that determines a baseline's result, as MLflow params, with a hash over it."""
    plan = study.plan
    params = {**baseline.params(), "context_length": str(plan.context_length)}
    if plan.n_folds:
        params["n_folds"] = str(plan.n_folds)
    for part in (plan.data, plan.target, plan.split):
        params |= dict(flatten(part))
    return {**params, SETTINGS_HASH: hash_of(params)}


def hash_of(params: Mapping[str, str]) -> str:
    """16 hex digits over settings; what older records lack counts where it is not as before, as in a spec's hash."""
    settings = identity((name, value) for name, value in params.items() if name != RECORD_SCHEMA)
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _find(study: Study, params: dict[str, str]) -> Logged | None:
    """Newest finished run of these settings that keeps its predictions; None if there is none."""
    found = study.runs(BASELINE_ROLE, status=FINISHED, params={SETTINGS_HASH: params[SETTINGS_HASH]})
    runs = [run for run in found if is_kept(study.client, run, PREDICTIONS) is not False]
    if not runs:
        return None
    return Logged(name=params["baseline"], run_id=runs[0].info.run_id, reused=True, metrics=dict(runs[0].data.metrics))


def _log(
    study: Study, baseline: Baseline, dataset: DatasetVersion, pooled: Sequence[DatasetVersion], windows: Windows
) -> Logged:
    writer = study.start_run(f"baseline {baseline.name}", role=BASELINE_ROLE, tags={COLOUR: GREY})
    try:
        writer.log_params(baseline_params(study, baseline))
        writer.log_inputs(study_entities(study, dataset, pooled, windows))
        started = time.monotonic()
        fitted = _fit(study, baseline, (dataset, *pooled), windows)
        _conclude(study, writer, fitted, dataset, started)
    except KeyboardInterrupt:
        writer.interrupt()
        raise
    except Exception as error:
        writer.fail(error)
        return Logged(name=baseline.name, run_id=writer.run_id, reused=False, metrics={}, error=describe_error(error))
    metrics = study.client.get_run(writer.run_id).data.metrics
    return Logged(name=baseline.name, run_id=writer.run_id, reused=False, metrics=dict(metrics))


def _fit(
    study: Study, baseline: Baseline, datasets: Sequence[DatasetVersion], windows: Windows
) -> list[tuple[FittedBaseline, Windows]]:
    """Fit a baseline to what lies before the validation days, or where trials have folds before each of those."""
    folds = folds_of(study.plan.split, study.plan.n_folds, windows, datasets, horizon=study.plan.target.horizon)
    own, *pooled = datasets
    horizon = study.plan.target.horizon
    return [(fit_baseline(baseline, own, seen, horizon=horizon, pooled=pooled), seen) for _, seen in folds]


def _conclude(
    study: Study,
    writer: RunWriter,
    fitted: Sequence[tuple[FittedBaseline, Windows]],
    dataset: DatasetVersion,
    started: float,
) -> None:
    rows = np.concatenate([seen.rows.validation for _, seen in fitted])
    y = np.concatenate([seen.outcomes(seen.rows.validation) for _, seen in fitted])
    p = np.concatenate([each.predict_rows(dataset, seen.rows.validation) for each, seen in fitted])
    last = fitted[-1][0]
    chosen = {f"chosen/{name}": value for name, value in last.chosen.items()}
    figures = {**chosen, "n_train": last.n_train, "seconds": time.monotonic() - started}
    writer.client.set_tag(writer.run_id, "baseline.inputs", shortened(", ".join(last.inputs), 5000) or "none")
    table, found = pd.DataFrame({"date": dataset.dates[rows], "y": y, "p": p}), evaluate(y, p)
    writer.log_table(table, PREDICTIONS)
    writer.log_table(table.tail(PREVIEW_DAYS).round({"p": 4}), "predictions/preview.csv")
    note = evaluation_note(asdict(found), "this is one of them", chosen=chosen_in_words(study.plan.n_folds, 1))
    writer.conclude(found, figures, note=note)


def _carry_skill(study: Study, logged: list[Logged]) -> None:
    """Log on every finished trial its skill over the best baseline, once."""
    losses = {each.metrics["best/loss"]: each.name for each in logged if not each.error}
    if not losses:
        return
    best = min(losses)
    for run in study.runs(TRIAL_ROLE, status=FINISHED):
        skill = skill_over(run.data.metrics["best/loss"], best)
        if run.data.metrics.get(SKILL_OVER) != skill:
            scores = {name.removeprefix("best/"): value for name, value in run.data.metrics.items() if "best/" in name}
            note = evaluation_note(
                scores,
                f"{losses[best]}, log loss {best:.4f}; skill over it {skill:+.3f}",
                trial_remarks(run.data.metrics),
                chosen_in_words(study.plan.n_folds, study.plan.n_seeds),
            )
            tags = {"baseline.best": losses[best], NOTE: note}
            RunWriter(study.client, run.info.run_id).log({SKILL_OVER: skill}, tags=tags)


def _table(study: Study, logged: list[Logged]) -> Table:
    split = study.plan.split
    trials = trials_table(study)
    finished = trials[trials["state"] == "finished"]
    caption = "no finished trial to compare with yet"
    rows = {each.name: {name: each.metrics.get(f"best/{name}") for name in SCORES} for each in logged}
    if len(finished):
        best = finished.iloc[0]
        rows[f"best trial {best['label']}"] = {name: float(best[name]) for name in SCORES}
        caption = f"best trial: the lowest loss of {len(finished)} chosen on these same days, which flatters it"
    title = (
        f"{study.plan.study}, validation {split.validation_start} to {split.validation_end}, {validation_counts(study)}"
    )
    table = Table(title=title, caption=caption)
    table.add_column("model", no_wrap=True)
    for name in ("log loss", "base-rate loss", "skill", "AUC", "Brier"):
        table.add_column(name, justify="right", no_wrap=True)
    for label, figures in rows.items():
        table.add_row(label, *("unknown" if value is None else f"{value:.4f}" for value in figures.values()))
    return table
