"""Openings of the sealed test split: each is recorded on the model version and on the study before a label is read."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.exceptions import RecordError
from pipeline.seal import Opening
from search.provenance import code_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from search.study import Study

OPENING = "test.opening."
"""Tags of a study's run and of a model version: one an opening, numbered from 1."""
COUNT = "test.openings"


def record_opening(study: Study, model_version: str) -> Opening:
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
    opening = Opening(
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
    if openings(study)[-1:] != [opening]:
        raise RecordError(
            f"an opening of the test split must read back from the study's run {study.run_id}; check the store"
        )
    return opening


def openings(study: Study) -> list[Opening]:
    """Every opening of the study's test split, oldest first."""
    tags = study.client.get_run(study.run_id).data.tags
    return _read(tags)


def count_openings(study: Study) -> int:
    """How often the study's test split was opened, by any version."""
    return len(openings(study))


def count_version_openings(client: MlflowClient, model_version: str) -> int:
    """How often this version was evaluated on the test split."""
    name, _, version = model_version.rpartition("/")
    return len(_read(client.get_model_version(name, version).tags))


def _read(tags: dict[str, str]) -> list[Opening]:
    numbered = {int(name.removeprefix(OPENING)): text for name, text in tags.items() if name.startswith(OPENING)}
    return [Opening(**json.loads(numbered[number])) for number in sorted(numbered)]
