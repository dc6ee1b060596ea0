"""``patchscale campaign``: a matrix of studies, budgets × horizons."""

from __future__ import annotations

import json
import sys

import click

from pipeline.exceptions import InputError
from search.cli.hpo import DEFAULTS as HPO_DEFAULTS
from search.cli.hpo import HELP as HPO_HELP
from search.cli.hpo import read_request
from search.cli.values import whole_number

OF_ONE_STUDY = {"budget": "2M", "horizon": "1", "study": ""}
DEFAULTS = {
    "budgets": "2M,20M,200M,2B",
    "horizons": "1,3,5",
    **{name: default for name, default in HPO_DEFAULTS.items() if name not in OF_ONE_STUDY},
}
HELP = {
    **HPO_HELP,
    "budgets": "Parameter budgets, in the order in which they are worked off.",
    "horizons": "Days ahead; every budget is searched for each.",
    "trials": "Finished trials that make each study complete; more extends them.",
    "timeout": "Of each study: stop after the epochs that run then, as in 90s, 30m, 8h or 1h30m; empty is no limit.",
}


@click.command()
@click.option("--dry-run", is_flag=True, help="Estimate time and memory of every study; train nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the dry run as JSON.")
def campaign(dry_run: bool, as_json: bool, **options: str) -> None:
    """Queue a study for every budget and horizon and work them off in order; the same command again resumes."""
    if as_json and not dry_run:
        raise InputError(
            "json is a form of the dry run, got it without; add --dry-run, or see patchscale status --json"
        )
    budgets = [each.strip() for each in (options.pop("budgets") or DEFAULTS["budgets"]).split(",")]
    texts = (options.pop("horizons") or DEFAULTS["horizons"]).split(",")
    horizons = [whole_number("horizons", each.strip(), 1) for each in texts]
    request = read_request({**OF_ONE_STUDY, **options})
    if not dry_run:
        from search.hpo.campaign import run_campaign

        sys.exit(run_campaign(request, budgets, horizons))
    from search.hpo import dry_run as dry
    from search.workers.progress import make_console

    console = make_console()
    if as_json:
        estimates = dry.estimate_campaign(request, budgets, horizons, lambda line: click.echo(line, err=True))
        click.echo(json.dumps(dry.as_json(estimates), indent=2))
        return
    estimates = dry.estimate_campaign(request, budgets, horizons, lambda line: console.print(line, markup=False))
    console.print(dry.estimates_table(estimates))
    for line in dry.notes(estimates):
        console.print(line, markup=False)


for _name, _default in DEFAULTS.items():
    _flag = "--" + _name.replace("_", "-")
    campaign = click.option(_flag, _name, default=_default, show_default=bool(_default), help=HELP[_name])(campaign)
