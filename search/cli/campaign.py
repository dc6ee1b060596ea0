"""``patchscale campaign``: a matrix of studies, budgets × horizons."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from pipeline.exceptions import InputError
from search.cli.options import FIELDS, request_options
from search.study.request import HpoRequest
from search.study.values import whole_number

BUDGETS, HORIZONS = "2M,20M,200M,2B", "1,3,5"
SHARED = [name for name in FIELDS if name not in ("budget", "horizon", "study")]
HELPS = {
    "trials": "Finished trials that make each study complete; more extends them.",
    "timeout": "Of each study: stop after the epochs that run then, as in 90s, 30m, 8h or 1h30m; empty is no limit.",
}


@click.command()
@click.option("--dry-run", is_flag=True, help="Estimate time and memory of every study; train nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the dry run as JSON.")
@click.option("--budgets", default=BUDGETS, show_default=True, help="Parameter budgets, worked off in this order.")
@click.option("--horizons", default=HORIZONS, show_default=True, help="Days ahead; every budget is searched for each.")
@request_options(*SHARED, **HELPS)
def campaign(dry_run: bool, as_json: bool, budgets: str, horizons: str, **options: Any) -> None:
    """Search every budget and horizon, one study after the other.

    All studies are queued before the first one starts; the same command again resumes.
    """
    if as_json and not dry_run:
        raise InputError(
            "json is a form of the dry run, got it without; add --dry-run, or see patchscale status --json"
        )
    sizes = [each.strip() for each in (budgets or BUDGETS).split(",")]
    days = [whole_number("horizons", each.strip(), 1) for each in (horizons or HORIZONS).split(",")]
    request = HpoRequest(**options)
    if not dry_run:
        from search.hpo.campaign import run_campaign

        sys.exit(run_campaign(request, sizes, days))
    from search.hpo import dry_run as dry
    from search.workers.progress import make_console

    console = make_console()
    if as_json:
        estimates = dry.estimate_campaign(request, sizes, days, lambda line: click.echo(line, err=True))
        click.echo(json.dumps(dry.as_json(estimates), indent=2))
        return
    estimates = dry.estimate_campaign(request, sizes, days, lambda line: console.print(line, markup=False))
    console.print(dry.estimates_table(estimates))
    for line in dry.notes(estimates):
        console.print(line, markup=False)
