"""``patchscale predict``: today's probability from the champion."""

from __future__ import annotations

import json

import click

from pipeline.exceptions import InputError
from search.cli.options import store_options
from search.study.values import fraction, whole_number


@click.command()
@click.argument("model_version", required=False)
@click.option("--ticker", default="", help="Whose champion, instead of MODEL_VERSION.")
@click.option("--horizon", default="1", show_default=True, help="With --ticker: sessions ahead.")
@click.option("--threshold", default="0.01", show_default=True, help="With --ticker: rise as a fraction.")
@click.option("--source", default="", help="Refresh from here (default: the source of the model's own data).")
@click.option("--offline", is_flag=True, help="Do not refresh; take the newest snapshots.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
def predict(
    tracking_uri: str,
    storage: str,
    model_version: str | None,
    ticker: str,
    horizon: str,
    threshold: str,
    source: str,
    offline: bool,
    as_json: bool,
) -> None:
    """Refresh data and print what MODEL_VERSION, or the champion for a ticker, says of the newest session."""
    if bool(model_version) == bool(ticker):
        raise InputError(
            "predict takes a MODEL_VERSION or a --ticker, got "
            f"{'both' if ticker else 'neither'}; for instance --ticker SPY"
        )
    days, rise = whole_number("horizon", horizon, 1), fraction("threshold", threshold)
    from pipeline.splits.target import Target
    from search.registry.live.predict import predict_live
    from search.registry.versions.aliases import CHAMPION
    from search.tracking.stores import resolve_stores

    target = Target(horizon=days, threshold=rise)
    text = model_version or f"patchscale-{ticker}-{target.name}@{CHAMPION}"
    found = predict_live(resolve_stores(tracking_uri, storage), text, source=source, offline=offline)
    click.echo(json.dumps(found.to_dict(), indent=2) if as_json else "\n".join(found.lines()))
