"""``patchscale baselines``: what a study's trials have to beat."""

from __future__ import annotations

import sys

import click

from search.cli.options import store_options


@click.command()
@click.argument("study")
@store_options
def baselines(tracking_uri: str, storage: str, study: str) -> None:
    """Log the baselines that STUDY has to beat.

    They forecast the days of its trials; again adds nothing.
    """
    from search.tracking.stores import resolve_stores
    from search.trial.baselines import run_baselines
    from search.workers.progress import make_console

    sys.exit(run_baselines(resolve_stores(tracking_uri, storage), study, make_console()))
