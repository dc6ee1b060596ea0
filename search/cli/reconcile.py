"""``patchscale reconcile``: make the two stores agree about a study."""

from __future__ import annotations

import click

from search.cli.options import store_options
from search.tracking.stores import Stores


@click.command()
@click.argument("study")
@store_options
def reconcile(stores: Stores, study: str) -> None:
    """Make the two stores agree about STUDY.

    What a crash left open is closed and queued again; what one store lost is restored from the other.
    """
    from search.hpo.launcher import close_stale_launchers
    from search.study.reconcile import reconcile as repair
    from search.study.restore import restore
    from search.study.study import load_study
    from search.tracking.locks import study_lock

    opened = load_study(stores, study)
    with study_lock(stores, study):
        opened, done = restore(opened)
        done += [*close_stale_launchers(opened.client), *repair(opened)]
    for line in done:
        click.echo(line)
    click.echo(f"study {study}: {len(done)} repairs" if done else f"study {study}: the stores agree")
