"""Versions that were made by hand: in MLflow's own UI, or by a call of MLflow's, of a logged model of this project.

Such a version carries no tags until its gate is asked, whose answer is the last of them.  What ``patchscale register``
would have written on it stands on the logged model that it was made of, or on that model's run: it is taken from there,
and the version says that its gate was not asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException

from search.tracking.reader import find_experiment, find_run
from search.tracking.tags import REGISTRATION_ROLE, ROLE, STUDY

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

BY_HAND = "registered by hand, gate not asked"
MADE_BY, HAND = "registered.by", "hand"
QUESTION = "registered.question"
"""Tag of a version by hand: the model whose question it answers, whatever model it was made a version of."""
GATE, EVIDENCE = "gate", "evidence."
EVIDENCE_RUN, PROVED = "evidence.run_id", "check.largest_difference"
COPIED = "models:/"
"""Beginning of the source of a version that is a copy of another."""
MODEL_ID = re.compile(r"(?:^models:/+|/models/)(m-[0-9a-f]{32})(?:/|$)")


def model_id_of(client: MlflowClient, version: ModelVersion) -> str:
    """Id of the logged model that a version was made of, or that it is a copy of; empty if there is none."""
    found = MODEL_ID.search(str(version.source))
    if found is None and str(version.source).startswith(COPIED):
        with suppress(MlflowException):
            found = MODEL_ID.search(client.get_model_version_download_uri(version.name, version.version))
    return found.group(1) if found else ""


def with_origin(client: MlflowClient, version: ModelVersion) -> ModelVersion:
    """Give a version that was made by hand the tags of what it was made of; any other stays as it is.

    Nothing is written.  A version of something foreign stays without tags.
    """
    model_id = "" if _is_whole(version) else model_id_of(client, version)
    if not model_id:
        return version
    try:
        logged = client.get_logged_model(model_id)
    except MlflowException:  # it was deleted: nothing says what the version is
        return version
    origin = _origin(client, logged)
    if STUDY in origin and (GATE not in version.tags or STUDY in logged.tags):
        experiment = find_experiment(client, logged.experiment_id)
        said = {
            GATE: BY_HAND,
            MADE_BY: HAND,
            QUESTION: experiment.name if experiment else "",
            "model.id": logged.model_id,
        }
        version._tags = {**origin, **said, **version.tags}
    return version


def _is_whole(version: ModelVersion) -> bool:
    """Whether a version carries all that it should: its gate's answer, and its proof or a run of its evidence.

    One whose gate's asking was killed carries only some of it, the rest is taken from what it was made of.
    """
    tags = version.tags
    return STUDY in tags and GATE in tags and (EVIDENCE_RUN in tags or (PROVED in tags and MADE_BY not in tags))


def in_order(tags: Mapping[str, str]) -> list[tuple[str, str]]:
    """Tags of a version as they are to be written: first who made it, and last its study and its gate's answer.

    Whoever is killed in between leaves a version that is still one by hand, and whose gate is still to be asked.
    """
    places = {MADE_BY: -1, STUDY: 1, GATE: 2}
    return sorted(tags.items(), key=lambda tag: places.get(tag[0], 0))


def has_own_run(version: ModelVersion) -> bool:
    """Whether the run that a version names is there for it: one that was made by hand names its trial's."""
    return EVIDENCE_RUN in version.tags or version.tags.get(MADE_BY) != HAND


def _origin(client: MlflowClient, logged: LoggedModel) -> dict[str, str]:
    """Tags of a trial's model, or of the registration whose package it is, without what that one's gate answered."""
    tags = logged.tags
    if STUDY not in tags:
        run = find_run(client, str(logged.source_run_id))
        if run is None or run.data.tags.get(ROLE) != REGISTRATION_ROLE:
            return {}
        tags = run.data.tags
    not_its_own = (GATE, EVIDENCE, "mlflow.", ROLE)
    return {name: value for name, value in tags.items() if not name.startswith(not_its_own)}


def is_by_hand(version: ModelVersion) -> bool:
    """Whether a version was made by hand and its gate was never asked."""
    return bool(version.tags.get(GATE) == BY_HAND)


def question_of(version: ModelVersion) -> str:
    """Name of the model whose question a version answers."""
    return str(version.tags.get(QUESTION) or version.name)
