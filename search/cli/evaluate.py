"""``patchscale evaluate``: the only door to the test split."""

from __future__ import annotations

import click

from search.cli.options import store_options
from search.tracking.stores import Stores


@click.command()
@click.argument("model_version")
@click.option("--again", is_flag=True, help="Open the test split another time; the opening is counted.")
@store_options
def evaluate(stores: Stores, model_version: str, again: bool) -> None:
    """Evaluate MODEL_VERSION on the sealed test days of its study.

    MODEL_VERSION is written as in patchscale-SPY-h1@champion. The opening is recorded on the version and on the
    study before a label is read. Asked again, the earlier result is shown, and nothing is opened unless --again.
    """
    from search.registry.holdout.evaluate import evaluate_version
    from search.workers.progress import make_console

    evaluate_version(stores, model_version, again=again, console=make_console())
