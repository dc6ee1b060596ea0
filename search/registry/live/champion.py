"""Whose champion answers: that of exactly the target that is asked about, else one whose distribution can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pipeline.exceptions import InputError, PatchscaleError
from pipeline.splits.target import Target
from search.registry.versions.versions import CHAMPION, find_version, require_tag, version_name
from search.study.plan import Plan, experiment_name
from search.study.study import load_study
from search.tracking.reader import every_page
from search.tracking.stores import Stores, open_storage, open_tracking
from search.tracking.tags import STUDY

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

REMEDY = "a study with --head distribution makes a model that is asked any threshold within each of its horizons"


class Champion(NamedTuple):
    """A champion that answers, and why it does; nothing if it is that of exactly the target."""

    version: ModelVersion
    why: str


class _Other(NamedTuple):
    """A champion of another target, a distribution, and the plan of its study."""

    version: ModelVersion
    plan: Plan


def champion_for(stores: Stores, ticker: str, target: Target) -> Champion:
    """Find the champion of a ticker that answers a target.

    That of the target's own model comes first; then, of the distributions that forecast the horizon, those of
    its own study's horizon, and the newest among them.

    Parameters
    ----------
    stores : Stores
        Where the record is.
    ticker : str
        Whose.
    target : Target
        What is asked.

    Raises
    ------
    InputError
        If there is none; the message says which could be there, and what would help.
    """
    client, model = open_tracking(stores), experiment_name(ticker, target)
    try:
        return Champion(find_version(client, f"{model}@{CHAMPION}"), "")
    except InputError as error:
        refusal = str(error)
    others = list(_distributions(stores, client, ticker, target))
    able = [each for each in others if target.horizon in each.plan.ahead]
    if not able:
        raise InputError(f"{refusal}; {_remedy(others)}")
    able.sort(key=lambda each: (each.plan.target.horizon != target.horizon, -each.version.creation_timestamp))
    chosen, days = able[0], _days(target.horizon)
    of = f", first of {len(able)} that do (same horizon, then newest)" if len(able) > 1 else ""
    return Champion(
        chosen.version,
        f"{model} has no champion; {version_name(chosen.version)} answers, a champion whose distribution forecasts "
        f"{days}{of}",
    )


def _distributions(stores: Stores, client: MlflowClient, ticker: str, target: Target) -> Iterator[_Other]:
    """Champions of a ticker whose heads are distributions of the same price; one whose study is gone is none."""
    storage = open_storage(stores)
    for model in every_page(client.search_registered_models):
        number = (model.aliases or {}).get(CHAMPION)
        if number is None or model.tags.get("ticker") != ticker:
            continue
        try:
            version = find_version(client, f"{model.name}/{number}")
            plan = load_study(stores, require_tag(version, STUDY), client=client, storage=storage).plan
        except PatchscaleError:
            continue
        if plan.ahead and plan.target.rule == target.rule:
            yield _Other(version, plan)


def _remedy(others: list[_Other]) -> str:
    """Say what other champions forecast, and what makes one that answers."""
    held = [f"{version_name(each.version)} forecasts {', '.join(map(str, each.plan.ahead))}" for each in others]
    return f"no other champion forecasts that horizon ({'; '.join(held)}); {REMEDY}" if held else REMEDY


def _days(horizon: int) -> str:
    """Sessions in words."""
    return "1 session" if horizon == 1 else f"{horizon} sessions"
