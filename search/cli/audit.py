"""``patchscale audit``: what a study tested and what it lacks."""

from __future__ import annotations

import json
import sys

import click

from search.cli.options import store_options
from search.tracking.stores import Stores


@click.command()
@click.argument("study")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
def audit(stores: Stores, study: str, as_json: bool) -> None:
    """Say what STUDY tested, and what it lacks.

    Of each axis the values that trials have; the exit code is 1 if anything is missing. Missing are trials below
    the target, extremes, untested values, records that do not give back their spec, and trials on which MLflow and
    Optuna disagree. 'patchscale supplement' runs what is untested.
    """
    from search.audit.audit import audit_study
    from search.audit.text import audit_in_words
    from search.study.study import load_study
    from search.tracking.locks import is_locked

    found = audit_study(load_study(stores, study), running=is_locked(stores, study))
    click.echo(json.dumps(found.to_dict(), indent=2) if as_json else "\n".join(audit_in_words(found)))
    sys.exit(1 if found.missing else 0)
