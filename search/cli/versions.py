"""Commands on versions of the registry: ``promote``, ``rollback``, ``compare``."""

from __future__ import annotations

import json
import sys

import click

from search.cli.options import store_options
from search.study.values import reason, whole_number
from search.tracking.stores import Stores, open_tracking


@click.command()
@click.argument("model_version")
@click.option("--force", metavar="REASON", default=None, help="Make it champion against the gate; REASON is recorded.")
@store_options
def promote(stores: Stores, model_version: str, force: str | None) -> None:
    """Make MODEL_VERSION champion if the gate holds now.

    MODEL_VERSION is written as in patchscale-SPY-h1/3. The exit code is 1 if the champion stays.
    """
    forced = reason("force", force)
    from search.registry.promote import promote as promote_version
    from search.workers.progress import make_console

    moved = promote_version(stores, model_version, force=forced, console=make_console())
    sys.exit(0 if moved else 1)


@click.command()
@click.argument("model")
@click.option("--to", default="", metavar="VERSION", help="Earlier champion (default: the one before).")
@store_options
def rollback(stores: Stores, model: str, to: str) -> None:
    """Make the champion before the present one champion again."""
    number = whole_number("to", to, 1) if to else None
    from search.registry.versions.aliases import roll_back
    from search.registry.versions.versions import find_model
    from search.tracking.lease import WAIT, registry_lease

    client = open_tracking(stores)
    find_model(client, model)
    with registry_lease(stores, model, wait=WAIT):
        before, move = roll_back(client, model, number)
    shown = "none" if before is None else f"{before}; patchscale promote brings it back"
    click.echo(f"champion of {model} is now {move.version} again, before: {shown}")


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
def compare(stores: Stores, a: str, b: str, as_json: bool) -> None:
    """Compare versions A and B on the days that both forecast."""
    from search.registry.compare import compare_versions
    from search.workers.progress import make_console

    found = compare_versions(open_tracking(stores), a, b, stores=stores)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
    else:
        found.show(make_console())
