"""Openings of the sealed test split: each is recorded on the model version and on the study before a label is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pipeline.exceptions import RecordError
from pipeline.splits.holdout import HoldoutOpening
from search.tracking.provenance import code_tags
from search.tracking.reader import find_runs, matching
from search.tracking.tags import ROLE, STUDY, STUDY_ROLE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from search.study.study import Study

OPENING = "test.opening."
"""Tags of a study's run and of a model version: one an opening, numbered from 1."""
COUNT = "test.openings"


def record_opening(study: Study, model_version: str) -> HoldoutOpening:
    """Record that a registered version is about to be evaluated on the test split.

    Parameters
    ----------
    study : Study
        That the version was made of.
    model_version : str
        ``NAME/VERSION`` of a version that is registered.

    Returns
    -------
    Opening
        What :func:`model.windows.make_windows` wants to see before it gives test labels out.

    Raises
    ------
    RecordError
        If the opening does not read back; the test split then stays sealed.
    """
    code = code_tags()
    opening = HoldoutOpening(
        model_version=model_version,
        opened_at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=code["git.commit"],
        dirty=code["git.dirty"],
    )
    text = json.dumps(asdict(opening))
    name, _, version = model_version.rpartition("/")
    number = count_openings(study) + 1
    on_version = count_version_openings(study.client, model_version) + 1
    study.client.set_model_version_tag(name, version, f"{OPENING}{on_version}", text)
    study.client.set_model_version_tag(name, version, COUNT, str(on_version))
    study.client.set_tag(study.run_id, f"{OPENING}{number}", text)
    study.client.set_tag(study.run_id, COUNT, str(number))
    if holdout_openings(study)[-1:] != [opening]:
        raise RecordError(
            f"an opening of the test split must read back from the study's run {study.run_id}; check the store"
        )
    return opening


def holdout_openings(study: Study) -> list[HoldoutOpening]:
    """Every opening of the study's test split, oldest first."""
    return _read(study.client.get_run(study.run_id).data.tags)


def count_openings(study: Study) -> int:
    """How often the study's test split was opened, by any version."""
    return len(holdout_openings(study))


def count_openings_elsewhere(study: Study) -> int:
    """How often days of this test split were opened through other studies of the same ticker and target."""
    split = study.plan.split
    return sum(len(_read(run.data.tags)) for run in _others(study, split.test_start, split.test_end))


def sealed_by_others(study: Study) -> list[str]:
    """Name the studies of the same ticker and target whose test split holds days that this one trains or selects on.

    Their seal holds inside them only: what is chosen here has seen their test days.
    """
    split = study.plan.split
    return sorted(run.data.tags[STUDY] for run in _others(study, split.train_start, split.validation_end))


def holdout_in_words(study: Study) -> str:
    """Say which days are sealed and how often they were opened, a line for every report.

    Returns
    -------
    str
        As in ``sealed test split 2025-01-01 to 2026-12-31: never opened``.
    """
    split, own, elsewhere = study.plan.split, count_openings(study), count_openings_elsewhere(study)
    opened = f"opened {_times(own)}" if own else "never opened"
    inside = sealed_by_others(study)
    return (
        f"sealed test split {split.test_start} to {split.test_end}: {opened}"
        + (f", and {_times(elsewhere)} through other studies of {study.plan.experiment}" if elsewhere else "")
        + (f"; this study trains or selects on days that are the test of {', '.join(inside)}" if inside else "")
    )


def _others(study: Study, start: date, end: date) -> Iterator[Run]:
    """Yield the runs of other studies of the same ticker and target whose test split holds days from start to end."""
    for run in find_runs(study.client, [study.experiment_id], matching({ROLE: STUDY_ROLE})):
        params = run.data.params
        overlaps = params.get("test_start", "9999") <= str(end) and params.get("test_end", "") >= str(start)
        if overlaps and run.data.tags[STUDY] != study.plan.study:
            yield run


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def count_version_openings(client: MlflowClient, model_version: str) -> int:
    """How often this version was evaluated on the test split."""
    name, _, version = model_version.rpartition("/")
    return len(_read(client.get_model_version(name, version).tags))


def _read(tags: dict[str, str]) -> list[HoldoutOpening]:
    numbered = {int(name.removeprefix(OPENING)): text for name, text in tags.items() if name.startswith(OPENING)}
    return [HoldoutOpening(**json.loads(numbered[number])) for number in sorted(numbered)]
