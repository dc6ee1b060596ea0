"""Model versions as users write them: ``patchscale-SPY-h1/3`` and ``patchscale-SPY-h1@champion``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException

from pipeline.exceptions import InputError, describe_error
from search.registry.versions.by_hand import PROVED as PROVED
from search.registry.versions.by_hand import with_origin
from search.registry.versions.history import CHAMPION as CHAMPION
from search.registry.versions.history import HISTORY as HISTORY
from search.registry.versions.history import whole_moves
from search.tracking.reader import every_page, quoted
from search.tracking.tags import TRIAL_RUN as TRIAL_RUN

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

FORMS = "NAME/NUMBER or NAME@ALIAS, for instance patchscale-SPY-h1/3 or patchscale-SPY-h1@champion"
SHOWN = 10
DATASET, STUDY_RUN = "dataset.digest", "study.run_id"
AS_IS, SEEDS = "members.as_is", "members.seeds"
REGISTERED = "registered.as"
DATA_LAST, TRAINED_THROUGH = "data.last", "trained.through"
"""Tags of a version."""


def parse_version(text: str) -> tuple[str, int | None, str]:
    """Read what a user wrote: name of the model, number or None, alias or empty.

    Raises
    ------
    InputError
        If it has neither form.

    Examples
    --------
    >>> parse_version("patchscale-SPY-h1/3"), parse_version("models:/patchscale-SPY-h1@champion")
    (('patchscale-SPY-h1', 3, ''), ('patchscale-SPY-h1', None, 'champion'))
    """
    found = re.fullmatch(r"(?:models:/)?([^/:@]+)(?:/([0-9]{1,9})|@([A-Za-z0-9_-]+))", text, re.ASCII)
    if not found:
        raise InputError(f"a model version must be written {FORMS}, got {text!r}")
    name, number, alias = found.groups()
    return name, None if number is None else int(number), alias or ""


def find_version(client: MlflowClient, text: str) -> ModelVersion:
    """Return the version that a user wrote, one that was made by hand with the tags of what it was made of.

    Raises
    ------
    InputError
        If it is not written as one, or there is none; the message lists what exists.
    """
    name, number, alias = parse_version(text)
    versions = versions_of(client, name)
    for version in versions:
        if alias in version.aliases or int(version.version) == number:
            return with_origin(client, version)
    if number is None:
        held = sorted(alias for version in versions for alias in version.aliases)
        moves = whole_moves(find_model(client, name))
        if alias == CHAMPION and moves:
            raise InputError(_champion_gone(name, [move.version for move in moves], versions))
        raise InputError(f"an alias of {name} must be one of {_shown(held)}, got {alias!r}; {FORMS}")
    numbers = [str(version.version) for version in versions]
    raise InputError(f"a version of {name} must be one of {_shown(numbers)}, got {number}; {FORMS}")


def _champion_gone(model: str, champions: Sequence[int], versions: Sequence[ModelVersion]) -> str:
    """Say what became of a model's last champion, and what makes one."""
    numbers = [int(version.version) for version in versions]
    earlier = [number for number in champions if number in numbers]
    last = champions[-1]
    why = f"the alias was taken from version {last}" if last in numbers else f"version {last} was deleted"
    back = f"patchscale rollback {shlex.quote(model)} makes version {earlier[-1]} champion again, " if earlier else ""
    held = f", versions: {_shown([str(each) for each in numbers])}" if numbers else "; register a study for a version"
    ask = f"patchscale promote {shlex.quote(model)}/NUMBER asks the gate for another"
    return f"{model} has no champion ({why}); {back}{ask}{held}"


def find_model(client: MlflowClient, name: str) -> RegisteredModel:
    """Return a registered model.

    Raises
    ------
    InputError
        If there is none of this name; the message lists what exists.
    """
    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise InputError(f"the registry must be readable, got: {describe_error(error)}; check the store") from error
        names = sorted(model.name for model in every_page(client.search_registered_models))
        raise InputError(
            f"a model must be one of the registry's, {_shown(names)}, got {name!r}; patchscale register STUDY makes one"
        ) from error


def versions_of(client: MlflowClient, name: str) -> list[ModelVersion]:
    """Every version of a model, oldest first, with its aliases.

    Raises
    ------
    InputError
        If there is no such model.
    """
    held: dict[str, list[str]] = {}
    for alias, number in (find_model(client, name).aliases or {}).items():
        held.setdefault(str(number), []).append(str(alias))
    versions = list(every_page(client.search_model_versions, filter_string=f"name = {quoted(name)}"))
    for version in versions:
        version._aliases = sorted(held.get(str(version.version), []))
    return sorted(versions, key=lambda version: int(version.version))


def every_version(client: MlflowClient) -> Iterator[ModelVersion]:
    """Every version of every model."""
    return every_page(client.search_model_versions)


def version_name(version: ModelVersion) -> str:
    """Name a version as a user writes it: ``patchscale-SPY-h1/3``."""
    return f"{version.name}/{version.version}"


def require_tag(version: ModelVersion, tag: str) -> str:
    """Read a tag that ``patchscale register`` writes on every version.

    Raises
    ------
    InputError
        If the version has none: it was registered by something else.
    """
    value = version.tags.get(tag)
    if not value:
        raise InputError(
            f"{version_name(version)} must have been registered by patchscale, got a version without {tag}; "
            "patchscale register STUDY makes one"
        )
    return str(value)


def _shown(names: list[str]) -> str:
    """List names, the last ones if there are many.

    Examples
    --------
    >>> _shown([]), _shown(["1", "2"])
    ('none', '1, 2')
    """
    return ", ".join((["…"] if len(names) > SHOWN else []) + names[-SHOWN:]) or "none"
