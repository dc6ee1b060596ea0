"""``patchscale supplement``: run what a study lacks."""

from __future__ import annotations

import sys
from typing import Any

import click

from search.cli.options import ENGINE, request_options, store_options
from search.tracking.lease import refuse_if_held
from search.tracking.stores import Stores


@click.command()
@click.argument("study")
@click.option(
    "--where",
    multiple=True,
    help="axis=value[,axis=value]: only that a trial with these values exists; may be given again.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be queued, and stop.")
@request_options(*ENGINE, "keep", keep="Best finished trials whose weights stay, or all; auto is what the study has.")
@store_options
def supplement(stores: Stores, study: str, where: tuple[str, ...], dry_run: bool, keep: str, **asked: Any) -> None:
    """Queue exactly the trials that STUDY lacks, and run them.

    Lacking are missing extremes and values of an axis that no finished trial has; few architectures are chosen that
    have them all. The study's target is raised by as many trials.
    """
    if not dry_run:  # whoever is refused learns it before torch and MLflow are loaded
        refuse_if_held(stores, study)
    from search.hpo.supplement import dry_run_in_words, run_supplement
    from search.workers.engines import EngineOptions
    from search.workers.progress import make_console

    console = make_console()
    if dry_run:
        for line in dry_run_in_words(stores, study, where):
            console.print(line, markup=False)
        return
    sys.exit(run_supplement(stores, study, where, keep=keep, asked=EngineOptions(**asked), console=console))
