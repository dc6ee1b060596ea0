"""``patchscale gc``: delete losing checkpoints, never records."""

from __future__ import annotations

import click

from search.cli.options import store_options
from search.study.values import whole_number
from search.tracking.stores import Stores


@click.command()
@click.argument("study")
@click.option("--keep", default="5", show_default=True, help="Best finished trials whose checkpoints stay.")
@click.option("--dry-run", is_flag=True, help="Print what would be deleted, and stop.")
@store_options
def gc(stores: Stores, study: str, keep: str, dry_run: bool) -> None:
    """Delete the checkpoints of STUDY's losing trials.

    Training states left behind go too. Specs, metrics and predictions stay, and so does every checkpoint that a
    registered model was made of.
    """
    number = whole_number("keep", keep, 1)
    from search.registry.gc import clean_up
    from search.workers.progress import make_console

    clean_up(stores, study, keep=number, dry_run=dry_run, console=make_console())
