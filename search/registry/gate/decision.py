"""The decision: what follows from the gate's answer, and where it is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException

from pipeline.exceptions import PatchscaleError, shortened
from search.registry.gate.collect import track_record_of_trial, track_record_of_version
from search.registry.gate.gate import Gate, check_gate
from search.registry.gate.track_record import TrackRecord, no_track_record
from search.registry.packaging.best_trial import choose_trial
from search.registry.versions.aliases import FORCE, GATE, champion_of, move_champion, moves_of, now
from search.registry.versions.by_hand import BY_HAND, is_by_hand
from search.registry.versions.versions import SEEDS, require_tag, version_name
from search.study.study import load_study
from search.tracking.run import RunWriter
from search.tracking.tags import STUDY, TRIAL_NUMBER

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from search.study.study import Study
    from search.tracking.stores import Stores

LONGEST = 4000


def ask_gate(
    stores: Stores, client: MlflowClient, model: str, track_record: TrackRecord, *, version: int | None = None
) -> Gate:
    """Hold a track record against the gate, the model's present champion included.

    Parameters
    ----------
    stores : Stores
        Where the champion's study is.
    client : MlflowClient
        Of the registry.
    model : str
        Registered model.
    track_record : TrackRecord
        Of the version.
    version : int, optional
        The version's number, if it has one.
    """
    return check_gate(track_record, _champion_track_record(stores, client, model, version))


def _champion_track_record(stores: Stores, client: MlflowClient, model: str, version: int | None) -> TrackRecord | None:
    """Present champion's forecasts as its study holds them now, else as stored; no day if neither can be read."""
    champion = champion_of(client, model)
    if champion is None or int(champion.version) == version:
        return None
    try:
        found = collect_track_record(stores, client, champion)
        return replace(found, name=f"{found.name} ({BY_HAND})") if is_by_hand(champion) else found
    except (PatchscaleError, MlflowException):
        pass
    try:
        return track_record_of_version(client, champion)
    except PatchscaleError as error:
        return no_track_record(version_name(champion), source=str(error))


def collect_track_record(
    stores: Stores,
    client: MlflowClient,
    version: ModelVersion,
    *,
    prepare: Callable[[Study], None] = lambda study: None,
) -> TrackRecord:
    """Collect a version's evidence anew from its study and trial.

    Parameters
    ----------
    stores : Stores
        Where the study is.
    client : MlflowClient
        Of the registry.
    version : ModelVersion
        Whose evidence.
    prepare : callable
        Called with the study before its forecasts are read.

    Raises
    ------
    PatchscaleError
        If the study, the trial or its predictions are gone, or the version was not registered by patchscale.
    """
    study = load_study(stores, require_tag(version, STUDY), client=client)
    best = choose_trial(study, int(require_tag(version, TRIAL_NUMBER)))
    prepare(study)
    n_members = len(require_tag(version, SEEDS).split(","))
    return track_record_of_trial(study, best, version_name(version), n_members=n_members)


def log_gate(client: MlflowClient, run_id: str, gate: Gate) -> None:
    """Keep the gate's answer with all its figures as ``gate/TIME.json``, and in short as tags."""
    client.log_dict(run_id, gate.to_dict(), f"gate/{now().replace(':', '')[:17]}.json")
    RunWriter(client, run_id).set_tags(gate_tags(gate))


def gate_tags(gate: Gate) -> dict[str, str]:
    """Answer of the gate and of each condition, as tags."""
    answers = {
        f"gate.{each.name.replace(' ', '_')}": shortened(f"{each.answer}: {each.words}", LONGEST)
        for each in gate.conditions
    }
    return {"gate": "pass" if gate.holds else f"not met: {', '.join(gate.not_met)}", **answers}


def decide(client: MlflowClient, version: ModelVersion, gate: Gate, *, force: str = "") -> str:
    """Move the champion if the gate holds or somebody forces it; say in words what was done."""
    model, number = str(version.name), int(version.version)
    present = champion_of(client, model)
    if gate.holds or force:
        move = move_champion(client, model, number, how=GATE if gate.holds else FORCE, reason=force)
        earlier = moves_of(client, model)[:-1]
        gone = f"before: none, version {earlier[-1].version} is champion no more" if earlier else "the first"
        before = f"before: {version_name(present)}" if present else gone
        why = "the gate holds" if gate.holds else f"forced: {move.reason}"
        return f"champion is now {version_name(version)} ({why}; {before})"
    stays = f"stays {version_name(present)}" if present else "stays unset"
    return f"champion {stays}: not met are {', '.join(gate.not_met)}; --force REASON overrides and is recorded"
