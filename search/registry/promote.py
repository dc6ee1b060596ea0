"""Promotion: the gate is asked again for a version that is there already, or first for one that was made by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException

from pipeline.datasets.raw_bars import raw_bars
from pipeline.exceptions import InputError, PatchscaleError
from search.registry.description import ensure_model
from search.registry.gate.collect import (
    EVIDENCE_RUN,
    HORIZON,
    SOURCE,
    evidence_run,
    require_baselines,
    store_track_record,
)
from search.registry.gate.decision import ask_gate, collect_track_record, decide, gate_tags, log_gate
from search.registry.gate.gate import unknown_gate
from search.registry.packaging.ask_version import fetched_version
from search.registry.packaging.best_trial import choose_trial
from search.registry.packaging.fresh_process import check_in_fresh_process
from search.registry.packaging.members import expected_of_trial, last_windows
from search.registry.versions.aliases import CHAMPION, finish_move
from search.registry.versions.by_hand import BY_HAND, HAND, MADE_BY, has_own_run, in_order, is_by_hand, question_of
from search.registry.versions.versions import (
    PROVED,
    REGISTERED,
    find_model,
    find_version,
    parse_version,
    require_tag,
    version_name,
)
from search.results.weights import registration
from search.study.plan import PREFIX
from search.study.reconcile import close_stale
from search.study.study import load_study
from search.tracking.lease import WAIT, brief_lease, registry_lease
from search.tracking.stores import Stores, open_tracking
from search.tracking.tags import REGISTRATION_ROLE, STUDY, TRIAL_NUMBER

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
    first = find_version(client, text)
    if is_by_hand(first):
        require_own_question(client, first)
    with _evidence_run(stores, client, first, force=force, console=console) as run_id:
        with registry_lease(stores, parse_version(text)[0], wait=WAIT):
            version = find_version(client, text)
            by_hand = is_by_hand(version)
            finished = finish_move(client, str(version.name))
            if CHAMPION in version.aliases and (finished or not _was_never_moved(version)):
                done = "its record was completed" if finished else "nothing was changed"
                console.print(f"{version_name(version)} is champion already; {done}", markup=False)
                return True
            for tag in (STUDY, TRIAL_NUMBER):
                require_tag(version, tag)
            if by_hand:
                console.print(f"{version_name(version)} was {BY_HAND}: it is asked now", markup=False)
            gate = _ask_anew(stores, client, version, run_id, force=force, console=console)
            console.print("\n".join(gate.lines()), markup=False)
            console.print(decide(client, version, gate, force=force), markup=False)
    return gate.holds or bool(force)


@contextmanager
def _evidence_run(
    stores: Stores, client: MlflowClient, version: ModelVersion, *, force: str, console: Console
) -> Iterator[str]:
    """Give the run that a version's evidence is written to; one that was made by hand gets a registration's run.

    Nothing is written to the run of its trial.  Where its study is gone and a reason forces it, there is none: "".
    """
    if has_own_run(version) and not is_by_hand(version):
        yield evidence_run(version)
        return
    try:
        study = load_study(stores, require_tag(version, STUDY), client=client)
    except PatchscaleError as error:
        if not force:
            raise
        console.print(f"the gate's answer is kept on the version only, its study is gone: {error}", markup=False)
        yield ""
        return
    with brief_lease(stores, registration(study.plan.study)):
        close_stale(study, REGISTRATION_ROLE)
        tags = {REGISTERED: version_name(version)}
        with study.start_run(f"promote {version_name(version)}", role=REGISTRATION_ROLE, tags=tags) as writer:
            if question_of(version) == version.name:
                ensure_model(client, study.plan)
            yield writer.run_id


def _was_never_moved(version: ModelVersion) -> bool:
    """Whether a version that was made by hand may have got its alias by hand too: no promotion of it is recorded."""
    return version.tags.get(MADE_BY) == HAND and not any(name.startswith(f"{CHAMPION}.") for name in version.tags)


def require_own_question(client: MlflowClient, version: ModelVersion) -> None:
    """Refuse as champion a version that was made by hand of another question's model.

    Raises
    ------
    InputError
        If its registered model is one of this project's, and not that of its study.
    """
    own, model = question_of(version), str(version.name)
    if own != model and (model.startswith(PREFIX) or "target" in find_model(client, model).tags):
        raise InputError(
            f"a champion of {model} must answer its question, got {version_name(version)} of study "
            f"{version.tags[STUDY]}, which answers {own}; register it under {own}"
        )


def _ask_anew(
    stores: Stores, client: MlflowClient, version: ModelVersion, run_id: str, *, force: str, console: Console
) -> Gate:
    """Ask the gate on evidence collected anew and record its answer; unknown if that is gone and a reason forces it."""
    tags: dict[str, str] = {}
    if is_by_hand(version) or not has_own_run(version):
        tags = {**version.tags, **({EVIDENCE_RUN: run_id} if run_id else {})}
    try:
        if version.tags.get(MADE_BY) == HAND:
            tags |= _prove(stores, client, version)
        track_record = collect_track_record(
            stores, client, version, prepare=lambda study: require_baselines(stores, study, console)
        )
        gate = ask_gate(stores, client, str(version.name), track_record, version=int(version.version))
        store_track_record(client, run_id, track_record)
        tags |= {SOURCE: track_record.source, HORIZON: str(track_record.horizon)}
    except (PatchscaleError, MlflowException) as error:
        if not force:
            raise
        gate = unknown_gate(str(error))
    try:
        if run_id:
            log_gate(client, run_id, gate)
    except MlflowException as error:
        if not force:
            raise
        console.print(f"the gate's answer is kept on the version only, its run is gone: {error}", markup=False)
    for key, value in in_order({**tags, **gate_tags(gate)}):
        client.set_model_version_tag(version.name, version.version, key, value)
    return gate


def _prove(stores: Stores, client: MlflowClient, version: ModelVersion) -> dict[str, str]:
    """Prove in a process of its own that a trial's model says what the trial said; a registration's was proved.

    Raises
    ------
    RecordError
        If it does not.
    """
    if PROVED in version.tags:
        return {}
    study = load_study(stores, require_tag(version, STUDY), client=client)
    best = choose_trial(study, int(require_tag(version, TRIAL_NUMBER)))
    dataset, pooled = study.load_data()
    expected = expected_of_trial(study, best, last_windows(best.spec, dataset, pooled))
    with fetched_version(stores, version) as path:
        bars = raw_bars(study.data_root, dataset)
        difference = check_in_fresh_process(str(path), bars, expected, stores.tracking_uri)
    return {PROVED: f"{difference:.3e}"}
