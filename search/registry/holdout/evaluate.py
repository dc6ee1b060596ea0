"""Evaluation of a version on the sealed test split, each opening recorded before a label is read."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console

from pipeline.datasets.raw_bars import raw_bars
from search.evidence.text import difference_text, interval_text
from search.registry.holdout.sealed_days import TestScores, score_test_days, sealed_windows
from search.registry.packaging.ask_version import ask_version
from search.registry.versions.versions import AS_IS, find_version, parse_version, require_tag, version_name
from search.results.card import update_card
from search.results.class_counts import counts_in_words
from search.results.holdout import count_openings, count_version_openings, record_opening
from search.study.reconcile import close_stale
from search.study.study import Study, load_study
from search.tracking.artifacts import read_artifact
from search.tracking.lease import WAIT, registry_lease
from search.tracking.reader import find_runs, matching
from search.tracking.run import RunWriter
from search.tracking.stores import Stores, open_tracking
from search.tracking.tags import EVALUATED, FINISHED, ROLE, STUDY, TEST_ROLE

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

RESULT = "result.txt"
SHOWN = {"loss": "log loss", "roc_auc": "AUC", "brier": "Brier"}


def evaluate_version(stores: Stores, text: str, *, again: bool, console: Console) -> None:
    """Evaluate a version on the test days of its study; asked again, show what was found then.

    The opening is recorded on the version and on the study before a label is read.  A second evaluation
    would read the same days with the same weights: it opens nothing and shows the earlier result, unless
    ``again`` asks for it; that one is counted too.

    Raises
    ------
    InputError
        If there is no such version, or its data hold too few test days; nothing is opened then.
    """
    client = open_tracking(stores)
    version = find_version(client, text)
    study = load_study(stores, require_tag(version, STUDY), client=client)
    with registry_lease(stores, parse_version(text)[0], wait=WAIT):
        close_stale(study, TEST_ROLE)
        earlier = _earlier(study, version)
        if earlier is not None and not again:
            console.print(_read_result(study, earlier), markup=False)
            console.print(
                f"evaluated before, in run {earlier.info.run_id[:8]}; nothing was opened, this does not count as "
                "new (--again opens it another time, and is counted)",
                markup=False,
            )
        else:
            console.print(_evaluate(stores, study, version), markup=False)
            update_card(study)
    console.print(_counts(study, version), markup=False)


def _evaluate(stores: Stores, study: Study, version: ModelVersion) -> str:
    name = version_name(version)
    sealed_windows(study)
    split = study.plan.split
    span = pd.Timestamp(split.test_start), pd.Timestamp(split.test_end)
    p = ask_version(stores, version, raw_bars(study.data_root, study.load_data()[0]), span=span).p
    opening = record_opening(study, name)
    tags = {EVALUATED: name, "opening": json.dumps(asdict(opening))}
    with study.start_run(f"test {name}", role=TEST_ROLE, tags=tags) as writer:
        scores = score_test_days(study, p, as_is=require_tag(version, AS_IS) == "true", opening=opening)
        text = result_text(name, scores)
        _log(writer, scores, text)
    return text


def result_text(name: str, scores: TestScores) -> str:
    """Say what was found on the test days: a line a model, then the comparison with the best baseline."""
    table = scores.table
    counted = counts_in_words(len(table), int(table["y"].sum()))
    lines = [
        f"{name} on the test split: {len(table):,} days {table['date'].iloc[0].date()} to "
        f"{table['date'].iloc[-1].date()}, base rate {table['y'].mean():.4f}: {counted}",
    ]
    for model, found in scores.scores.items():
        shown = (f"{label} {interval_text(found[metric])}" for metric, label in SHOWN.items())
        lines.append(f"  {model:<20} {', '.join(shown)}")
    best = scores.best_baseline
    lines.append(f"{name} less {best}, the best baseline on these days: {difference_text(scores.differences[best])}")
    return "\n".join(lines)


def _log(writer: RunWriter, scores: TestScores, text: str) -> None:
    """Log metrics, predictions and the text that a later command shows again."""
    figures = {f"test/{metric}": interval.value for metric, interval in scores.scores["version"].items()}
    best = scores.differences[scores.best_baseline]
    against = {f"test/less_best_baseline_{name}": getattr(best, name) for name in ("value", "p_value", "detectable")}
    writer.log({**figures, **against, "test/days": float(len(scores.table))})
    writer.client.log_text(writer.run_id, text, RESULT)
    writer.client.log_dict(writer.run_id, _figures(scores), "result.json")
    writer.log_table(scores.table, "predictions/test.parquet")


def _figures(scores: TestScores) -> dict[str, Any]:
    return {
        "scores": {model: {m: asdict(each) for m, each in found.items()} for model, found in scores.scores.items()},
        "version_less": {name: asdict(each) for name, each in scores.differences.items()},
        "best_baseline": scores.best_baseline,
    }


def _earlier(study: Study, version: ModelVersion) -> Run | None:
    """Newest finished evaluation of this version."""
    query = matching({ROLE: TEST_ROLE, EVALUATED: version_name(version)}, status=FINISHED)
    return next(iter(find_runs(study.client, [study.experiment_id], query)), None)


def _read_result(study: Study, run: Run) -> str:
    held = read_artifact(study.client, run, RESULT)
    return f"{RESULT} of run {run.info.run_id} is gone" if held is None else held.decode()


def _counts(study: Study, version: ModelVersion) -> str:
    own, all_of = count_version_openings(study.client, version_name(version)), count_openings(study)
    return (
        f"openings of the test split: {own} by {version_name(version)}, {all_of} in study {study.plan.study} "
        f"by any version; a result chosen after looking is no longer a test"
    )
