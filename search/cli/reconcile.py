"""``patchscale reconcile``: make the two stores agree about a study."""

from __future__ import annotations

import sys

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
    from search.audit.agreement import disagreements
    from search.hpo.launcher import close_stale_launchers
    from search.results.trial_runs import recorded_trials
    from search.study.reconcile import reconcile as repair
    from search.study.restore import NOT_REPAIRED, restore
    from search.study.study import load_study
    from search.tracking.lease import brief_lease
    from search.tracking.stores import open_tracking

    client = open_tracking(stores, migrate=True)
    load_study(stores, study, client=client, repair=True)  # a name that is no study's makes no lock
    with brief_lease(stores, study):
        opened, done = restore(load_study(stores, study, client=client, repair=True))
        done += [*close_stale_launchers(opened.client), *repair(opened)]
        left = list(disagreements(opened.schedule.get_trials(deepcopy=False), recorded_trials(opened), running=False))
    for line in [*done, *(f"still: {each}" for each in left)]:
        click.echo(line)
    repairs = sum(not line.startswith(NOT_REPAIRED) for line in done)
    said = [f"{repairs} repairs" if repairs else "", f"the stores disagree about {len(left)} trials" if left else ""]
    click.echo(f"study {study}: {', '.join(filter(None, said)) or 'the stores agree'}")
    sys.exit(1 if left else 0)
