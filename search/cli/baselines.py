"""``patchscale baselines``: what a study's trials have to beat."""

from __future__ import annotations

import sys

import click

from search.cli.options import store_options
from search.tracking.stores import Stores


@click.command()
@click.argument("study")
@store_options
def baselines(stores: Stores, study: str) -> None:
    """Log the baselines that STUDY has to beat.

    They forecast the days of its trials; again adds nothing.
    """
    from search.trial.baselines import run_baselines
    from search.workers.progress import make_console

    sys.exit(run_baselines(stores, study, make_console()))
