"""``patchscale predict``: today's probability from the champion."""

from __future__ import annotations

import json
from typing import Any

import click

from pipeline.exceptions import InputError
from search.cli.options import request_options, store_options
from search.tracking.stores import Stores


@click.command()
@click.argument("model_version", required=False)
@click.option("--ticker", default="", help="Whose champion, instead of MODEL_VERSION.")
@request_options(
    "horizon", "threshold", horizon="With --ticker: sessions ahead.", threshold="With --ticker: rise as a fraction."
)
@click.option("--source", default="", help="Refresh from here (default: the source of the model's own data).")
@click.option("--offline", is_flag=True, help="Do not refresh; take the newest snapshots.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
def predict(
    stores: Stores, model_version: str | None, ticker: str, horizon: int, threshold: float, as_json: bool, **how: Any
) -> None:
    """Print what a model says of the newest session.

    The model is MODEL_VERSION, or the champion for a ticker; data are refreshed first.
    """
    if bool(model_version) == bool(ticker):
        raise InputError(
            "predict takes a MODEL_VERSION or a --ticker, got "
            f"{'both' if ticker else 'neither'}; for instance --ticker SPY"
        )
    from pipeline.splits.target import Target
    from search.registry.live.predict import predict_live
    from search.registry.versions.aliases import CHAMPION

    target = Target(horizon=horizon, threshold=threshold)
    text = model_version or f"patchscale-{ticker}-{target.name}@{CHAMPION}"
    found = predict_live(stores, text, **how)
    click.echo(json.dumps(found.to_dict(), indent=2) if as_json else "\n".join(found.lines()))
