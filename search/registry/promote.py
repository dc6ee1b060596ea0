"""Promotion: the gate is asked again for a version that is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException

from pipeline.exceptions import PatchscaleError
from search.registry.gate.collect import SOURCE, require_baselines, store_track_record
from search.registry.gate.decision import ask_gate, collect_track_record, decide, gate_tags, log_gate
from search.registry.gate.gate import unknown_gate
from search.registry.versions.aliases import CHAMPION, champion_of
from search.registry.versions.versions import find_version, parse_version, require_tag, version_name
from search.tracking.lease import WAIT, registry_lease
from search.tracking.stores import Stores, open_tracking
from search.tracking.tags import STUDY, TRIAL_NUMBER

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from rich.console import Console

    from search.registry.gate.gate import Gate


def promote(stores: Stores, text: str, *, force: str, console: Console) -> bool:
    """Collect a version's evidence anew, ask the gate, and make it champion if it holds or is forced.

    Parameters
    ----------
    stores : Stores
        Where the record is.
    text : str
        The version, as a user writes it.
    force : str
        Reason to overrule the gate, also where its evidence is gone; empty is not to.
    console : Console
        Where to print the gate's answer.

    Returns
    -------
    bool
        Whether the version is champion now.

    Raises
    ------
    InputError
        If there is no such version, or it was not registered by patchscale.
    PatchscaleError
        If its evidence is gone and nothing forces it.
    """
    client = open_tracking(stores)
    find_version(client, text)
    with registry_lease(stores, parse_version(text)[0], wait=WAIT):
        version = find_version(client, text)
        if CHAMPION in version.aliases:
            console.print(f"{version_name(version)} is champion already; nothing was changed", markup=False)
            return True
        for tag in (STUDY, TRIAL_NUMBER):
            require_tag(version, tag)
        gate = _ask_anew(stores, client, version, force=force, console=console)
        console.print("\n".join(gate.lines()), markup=False)
        console.print(decide(client, version, gate, force=force), markup=False)
        champion = champion_of(client, str(version.name))
    return champion is not None and champion.version == version.version


def _ask_anew(stores: Stores, client: MlflowClient, version: ModelVersion, *, force: str, console: Console) -> Gate:
    """Ask the gate on evidence collected anew and record its answer; unknown if that is gone and a reason forces it."""
    tags: dict[str, str] = {}
    try:
        track_record = collect_track_record(
            stores, client, version, prepare=lambda study: require_baselines(stores, study, console)
        )
        gate = ask_gate(stores, client, str(version.name), track_record, version=int(version.version))
        store_track_record(client, str(version.run_id), track_record)
        tags = {SOURCE: track_record.source}
    except (PatchscaleError, MlflowException) as error:
        if not force:
            raise
        gate = unknown_gate(str(error))
    try:
        log_gate(client, str(version.run_id), gate)
    except MlflowException as error:
        if not force:
            raise
        console.print(f"the gate's answer is kept on the version only, its run is gone: {error}", markup=False)
    for key, value in {**tags, **gate_tags(gate)}.items():
        client.set_model_version_tag(version.name, version.version, key, value)
    return gate
