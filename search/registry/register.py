"""Registration: one packaged model of a study becomes a version, challenger at once, champion if the gate holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.training.device import choose_device
from pipeline.tiers import tier_memory
from search.registry.description import describe_version, ensure_model
from search.registry.gate.collect import HORIZON, SOURCE, require_baselines, store_track_record, track_record_of_trial
from search.registry.gate.decision import ask_gate, decide, gate_tags, log_gate
from search.registry.gate.gate import Gate
from search.registry.gate.track_record import TrackRecord
from search.registry.packaging.best_trial import BestTrial, choose_trial
from search.registry.packaging.build import Packaged, package_members
from search.registry.packaging.members import (
    DEFAULT_SEEDS,
    Members,
    member_tags,
    refitted_members,
    require_seeds,
    trial_members,
)
from search.registry.versions.aliases import held_aliases, put_back, set_challenger
from search.registry.versions.versions import AS_IS, PROVED, REGISTERED, TRAINED_THROUGH, version_name, versions_of
from search.results.named_trial import find_trial
from search.study.reconcile import close_stale
from search.study.study import Study
from search.tracking.data_place import data_address
from search.tracking.lease import WAIT, brief_lease, registry_lease
from search.tracking.locks import part_of
from search.tracking.provenance import code_tags, user_tags
from search.tracking.run import RunWriter
from search.tracking.stores import Stores
from search.tracking.tags import NOTE, REGISTRATION_ROLE
from search.tracking.widths import DESCRIPTION, RUN_TAG, cut
from search.trial.inputs import dataset_entities

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from rich.console import Console

SEPARATOR = ", "


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterRequest:
    """What to register.

    Parameters
    ----------
    trial : int, optional
        Number of the trial; None is the best finished one.
    seeds : int
        Refits to average.
    as_is : bool
        Take the trial's own weights instead.
    device : str
        Of the refits: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    force : str
        Reason to make it champion against the gate; empty is not to.
    """

    trial: int | None = None
    seeds: int = DEFAULT_SEEDS
    as_is: bool = False
    device: str = "auto"
    force: str = ""


def register(stores: Stores, name: str, request: RegisterRequest, console: Console) -> ModelVersion:
    """Package a trial of a study, prove that the package says what its weights say, and register it.

    The model's aliases are held from the making of the version on: while it trains, others may move them.

    Raises
    ------
    PatchscaleError
        If there is no such study or finished trial, or the package does not say what its weights say: then
        there is no version.
    """
    require_seeds(request.seeds)
    study, number = find_trial(stores, name, request.trial)
    tier_memory(study.plan.data.tier)
    best = choose_trial(study, number)
    choose_device(request.device)
    with brief_lease(stores, part_of(study.plan.study, REGISTRATION_ROLE)):
        close_stale(study, REGISTRATION_ROLE)
        run_name = f"register {best.trial.number:03d} {best.spec.architecture.label}"
        with study.start_run(run_name, role=REGISTRATION_ROLE) as writer:
            version = _register(stores, study, best, request, writer.run_id, console)
    return version


def _register(
    stores: Stores, study: Study, best: BestTrial, request: RegisterRequest, run_id: str, console: Console
) -> ModelVersion:
    client, model = study.client, study.plan.experiment
    track_record = track_record_of_request(stores, study, best, request, console)
    members = _members(study, best, request, console)
    inputs = dataset_entities(
        study.load_data()[0], study.data_root, members.windows, data_address(study.client, study.run_id)
    )
    RunWriter(client, run_id).log_inputs(inputs)
    packaged = package_members(study, best, members, run_id)
    console.print(
        f"packaged, and run in a fresh process: largest difference {packaged.difference:.1e} over "
        f"{len(members.expected)} days",
        markup=False,
    )
    store_track_record(client, run_id, track_record)
    with registry_lease(stores, model, wait=WAIT):
        ensure_model(study.client, study.plan)
        gate = ask_gate(stores, client, model, track_record)
        log_gate(client, run_id, gate)
        with _all_or_nothing(study, best, run_id):
            version = _create_version(study, best, members, track_record, gate, packaged, run_id)
            set_challenger(client, model, int(version.version))
            _link(study, best, version, run_id)
            console.print("\n".join(gate.lines()), markup=False)
            decided = decide(client, version, gate, force=request.force)
    console.print(f"{version_name(version)} registered as challenger; {decided}", markup=False)
    return version


def track_record_of_request(
    stores: Stores, study: Study, best: BestTrial, request: RegisterRequest, console: Console
) -> TrackRecord:
    """Collect the trial's evidence, with the baselines that the study lacks."""
    model = study.plan.experiment
    console.print(f"{model}: {best.trial.name}, {best.spec.architecture.label}, one of {best.of}", markup=False)
    require_baselines(stores, study, console)
    n_members = 1 if request.as_is else request.seeds
    return track_record_of_trial(study, best, f"{model}, trial {best.trial.number}", n_members=n_members)


@contextmanager
def _all_or_nothing(study: Study, best: BestTrial, run_id: str) -> Iterator[None]:
    """Leave the registry as it was if the block fails or is interrupted.

    MLflow drops every alias of a version that is deleted, so champion and challenger are put back first.
    """
    client, model = study.client, study.plan.experiment
    held = held_aliases(client, model)
    try:
        yield
    except BaseException:
        put_back(client, model, held)
        for version in versions_of(client, model):
            if version.run_id == run_id:
                _unlink(study, best, version, run_id)
                client.delete_model_version(model, version.version)
        raise


def _members(study: Study, best: BestTrial, request: RegisterRequest, console: Console) -> Members:
    if request.as_is:
        return trial_members(study, best)

    def said(done: int) -> None:
        console.print(f"refit {done} of {request.seeds}: {best.n_epochs} epochs on train and validation", markup=False)

    return refitted_members(study, best, request.seeds, device=choose_device(request.device), after_each=said)


def _create_version(
    study: Study,
    best: BestTrial,
    members: Members,
    track_record: TrackRecord,
    gate: Gate,
    packaged: Packaged,
    run_id: str,
) -> ModelVersion:
    client, model = study.client, study.plan.experiment
    tags = {
        **member_tags(study, best.trial, members.seeds, best.n_epochs, packaged.data_last),
        "model.id": packaged.model_id,
        AS_IS: str(members.as_is).lower(),
        TRAINED_THROUGH: packaged.trained_through,
        PROVED: f"{packaged.difference:.3e}",
        SOURCE: track_record.source,
        HORIZON: track_record.horizon,
        **gate_tags(gate),
        **user_tags(),
        **code_tags(),
    }
    description = cut(describe_version(best, members, packaged, track_record, gate), DESCRIPTION)
    RunWriter(client, run_id).set_tags({**tags, NOTE: description})
    return client.create_model_version(
        model,
        packaged.source,
        run_id,
        tags={key: str(value) for key, value in tags.items()},
        description=description,
        model_id=packaged.model_id,
    )


def _link(study: Study, best: BestTrial, version: ModelVersion, run_id: str) -> None:
    """Tag the registration's run, the trial's and the study's with the version."""
    _change_links(study, best, run_id, lambda links: [*links, version_name(version)])


def _unlink(study: Study, best: BestTrial, version: ModelVersion, run_id: str) -> None:
    """Take the version's name out of those tags."""
    _change_links(study, best, run_id, lambda links: [link for link in links if link != version_name(version)])


def _change_links(study: Study, best: BestTrial, run_id: str, change: Callable[[list[str]], list[str]]) -> None:
    for each in (run_id, best.trial.run_id, study.run_id):
        text = study.client.get_run(each).data.tags.get(REGISTERED, "")
        links = change(text.split(SEPARATOR) if text else [])
        while len(SEPARATOR.join(links)) > RUN_TAG:
            links = ["…", *links[2 if links[0] == "…" else 1 :]]
        if links:
            study.client.set_tag(each, REGISTERED, SEPARATOR.join(links))
        elif text:
            study.client.delete_tag(each, REGISTERED)
