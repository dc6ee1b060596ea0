"""``patchscale walkforward``: yearly refits, and what they forecast."""

from __future__ import annotations

import sys
from typing import Any

import click

from search.cli.options import ENGINE, request_options, store_options
from search.study.values import NAME_LENGTH, whole_number
from search.tracking.lease import refuse_if_held
from search.tracking.locks import part_of
from search.tracking.stores import Stores


@click.command()
@click.argument("what")
@click.option("--study", default="", help="Whose days and baselines; needed for a spec.json and for 'baselines'.")
@click.option("--trial", default="", help="Number of the study's trial (default: the best finished one).")
@click.option("--seeds", default="3", show_default=True, help="Models a year, whose probabilities are averaged.")
@click.option("--first-year", default="", help="First test year; empty is the earliest with four whole years before.")
@click.option("--last-year", default="", help="Last test year; empty is the last before the sealed test split.")
@request_options(*ENGINE)
@store_options
def walkforward(stores: Stores, trial: str, seeds: str, first_year: str, last_year: str, **asked: Any) -> None:
    """Forecast each year with models of the years before it.

    WHAT is a study's name, a trial's run id or its first digits, a spec.json or 'baselines'. The number of epochs is
    chosen on the year before the forecast one; then every seed is refitted on all rows before that year, which are
    the baselines' rows too. The same command again goes on, or prints what is there.
    """
    number = whole_number("trial", trial, 0) if trial else None
    n_seeds, texts = whole_number("seeds", seeds, 1), {"first_year": first_year, "last_year": last_year}
    years = {name: whole_number(name, text, 1) if text else None for name, text in texts.items()}
    if len(name := asked["study"] or asked["what"]) <= NAME_LENGTH:
        refuse_if_held(stores, part_of(name, "walkforward"))
    from search.walk_forward.command import WalkForwardRequest, run_walk_forward
    from search.workers.progress import make_console

    request = WalkForwardRequest(trial=number, seeds=n_seeds, **years, **asked)  # type: ignore[arg-type]
    sys.exit(run_walk_forward(stores, request, make_console()))
