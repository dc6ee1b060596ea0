"""``patchscale register``: make a study's best trial a version of the registry."""

from __future__ import annotations

import click

from search.cli.options import request_options, store_options
from search.study.values import reason, whole_number
from search.tracking.stores import Stores


@click.command()
@click.argument("study")
@click.option("--trial", default="", help="Number of the trial (default: the best finished one).")
@click.option("--seeds", default="3", show_default=True, help="Refits on train and validation to average.")
@click.option("--as-is", is_flag=True, help="Take the trial's own weights instead of refits.")
@request_options("device", device="Of refits: auto, cpu, cuda or mps.")
@click.option("--force", metavar="REASON", default=None, help="Make it champion against the gate; REASON is recorded.")
@store_options
def register(stores: Stores, study: str, trial: str, seeds: str, as_is: bool, device: str, force: str | None) -> None:
    """Package a trial of STUDY, and register it as challenger.

    STUDY is a study's name, or a trial's run id or its first digits.
    The package is proven first; the version is champion if the gate holds. The exit code is 0 when the version is
    registered, whatever the gate says.
    """
    number = whole_number("trial", trial, 0) if trial else None
    n_seeds, forced = whole_number("seeds", seeds, 1), reason("force", force)
    from search.registry.register import RegisterRequest
    from search.registry.register import register as register_trial
    from search.workers.progress import make_console

    request = RegisterRequest(trial=number, seeds=n_seeds, as_is=as_is, device=device, force=forced)
    register_trial(stores, study, request, make_console())
