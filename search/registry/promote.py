"""Promotion: the gate is asked again for a version that is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search import record
from search.registry.aliases import CHAMPION, champion_of, registry_lock
from search.registry.chosen import choose_trial
from search.registry.decision import ask_gate, decide, gate_tags, log_gate
from search.registry.out_of_sample import SOURCE, claim_of_trial, require_baselines, store_claim
from search.registry.versions import TRIAL_NUMBER, find_version, parse_version, require_tag, version_name
from search.stores import Stores, open_tracking
from search.study import load_study

if TYPE_CHECKING:
    from rich.console import Console


def promote(stores: Stores, text: str, *, force: str, console: Console) -> bool:
    """Collect a version's evidence anew, ask the gate, and make it champion if it holds or is forced.

    Parameters
    ----------
    stores : Stores
        Where the record is.
    text : str
        The version, as a user writes it.
    force : str
        Reason to overrule the gate; empty is not to.
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
    """
    client = open_tracking(stores)
    find_version(client, text)
    with registry_lock(stores, parse_version(text)[0]):
        version = find_version(client, text)
        if CHAMPION in version.aliases:
            console.print(f"{version_name(version)} is champion already; nothing was changed", markup=False)
            return True
        study = load_study(stores, require_tag(version, record.STUDY), client=client)
        chosen = choose_trial(study, int(require_tag(version, TRIAL_NUMBER)))
        for failure in require_baselines(stores, study):
            console.print(f"baseline failed, {failure}", markup=False)
        claim = claim_of_trial(study, chosen, version_name(version))
        gate = ask_gate(client, str(version.name), claim, version=int(version.version))
        store_claim(client, str(version.run_id), claim)
        log_gate(client, str(version.run_id), gate)
        for key, value in {SOURCE: claim.source, **gate_tags(gate)}.items():
            client.set_model_version_tag(version.name, version.version, key, value)
        console.print("\n".join(gate.lines()), markup=False)
        console.print(decide(client, version, gate, force=force), markup=False)
        champion = champion_of(client, str(version.name))
    return champion is not None and champion.version == version.version
