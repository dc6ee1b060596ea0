"""``patchscale audit``: what a study tested and what it lacks."""

from __future__ import annotations

import json
import sys

import click

from pipeline.exceptions import StoreError
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
    Optuna disagree. 'patchscale supplement' runs what is untested. Of an imported study it says what its sources say,
    and what is unknown.
    """
    from search.audit.audit import audit_study
    from search.audit.imported import audit_imported, imported_in_words
    from search.audit.text import audit_in_words
    from search.study.study import load_study
    from search.tracking.lease import is_held
    from search.tracking.stores import open_tracking

    try:
        opened = load_study(stores, study)
    except StoreError:
        imported = audit_imported(open_tracking(stores), study)
        if imported is None:
            raise
        click.echo(json.dumps(imported, indent=2) if as_json else "\n".join(imported_in_words(imported)))
        sys.exit(1 if imported["missing"] else 0)
    found = audit_study(opened, running=is_held(stores, study))
    click.echo(json.dumps(found.to_dict(), indent=2) if as_json else "\n".join(audit_in_words(found)))
    sys.exit(1 if found.missing else 0)
