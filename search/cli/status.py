"""``patchscale status``: one row a study."""

from __future__ import annotations

import json

import click

from pipeline.exceptions import InputError
from search.cli.options import store_options
from search.tracking.stores import Stores


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--watch", is_flag=True, help="Refresh until Ctrl-C.")
@store_options
def status(stores: Stores, as_json: bool, watch: bool) -> None:
    """Show every study, also while workers run.

    One row each: trials done and asked, state, best result, issues.
    """
    if as_json and watch:
        raise InputError("status shows either --json or --watch, got both; leave one out")
    from search.audit.status import study_states
    from search.audit.status_table import status_table
    from search.audit.status_table import watch as watch_states
    from search.workers.progress import make_console

    if watch:
        watch_states(lambda: study_states(stores), make_console())
    elif as_json:
        click.echo(json.dumps(study_states(stores), indent=2))
    else:
        console = make_console()
        console.print(status_table(study_states(stores), console.width))
