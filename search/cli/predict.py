"""``patchscale predict``: today's probability from the champion."""

from __future__ import annotations

import json
from typing import Any

import click

from pipeline.exceptions import InputError
from search.cli.options import question_options, store_options
from search.tracking.stores import Stores


@click.command()
@click.argument("model_version", required=False)
@click.option("--ticker", default="", help="Whose champion, instead of MODEL_VERSION.")
@question_options
@click.option("--source", default="", help="Refresh from here (default: the source of the model's own data).")
@click.option("--offline", is_flag=True, help="Do not refresh; take the newest snapshots.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
def predict(
    stores: Stores,
    model_version: str | None,
    ticker: str,
    horizon: int | None,
    threshold: float | None,
    as_json: bool,
    **how: Any,
) -> None:
    """Print what a model says of the newest session.

    The model is MODEL_VERSION, or the champion for a ticker: of exactly that horizon and threshold, else one that can
    answer.  A distribution answers any threshold within each of its horizons.  Data are refreshed first.
    """
    if bool(model_version) == bool(ticker):
        raise InputError(
            "predict takes a MODEL_VERSION or a --ticker, got "
            f"{'both' if ticker else 'neither'}; for instance --ticker SPY"
        )
    from search.registry.live.predict import predict_champion, predict_live

    if model_version:
        found = predict_live(stores, model_version, horizon=horizon, threshold=threshold, **how)
    else:
        found = predict_champion(stores, ticker, horizon=horizon, threshold=threshold, **how)
    click.echo(json.dumps(found.to_dict(), indent=2) if as_json else "\n".join(found.lines()))
