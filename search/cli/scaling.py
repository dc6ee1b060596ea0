"""``patchscale scaling``: whether a bigger budget predicts better."""

from __future__ import annotations

import json

import click

from search.cli.options import request_options, store_options
from search.study.values import require_resamples, whole_number
from search.tracking.stores import Stores


@click.command()
@click.argument("studies", nargs=-1, required=True)
@click.option("--resamples", default="2000", show_default=True, help="Resamples of days and trials.")
@request_options("seed", seed="Of the resamples.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
def scaling(stores: Stores, studies: tuple[str, ...], resamples: str, seed: int, as_json: bool) -> None:
    """Say whether bigger budgets predict better.

    Loss is fitted against measured parameter count over STUDIES of several budgets. The studies must forecast the
    same target on the same days. Of every budget the first trials enter, as many as the least searched one has.
    """
    n_resamples = whole_number("resamples", resamples, 200)
    require_resamples(n_resamples)
    from search.results.holdout import holdout_in_words
    from search.scaling import scaling_of
    from search.scaling.text import lines_below, scaling_tables, scaling_to_dict
    from search.study.study import load_study
    from search.workers.progress import make_console

    opened = [load_study(stores, name) for name in studies]
    found = scaling_of(opened, n_resamples=n_resamples, seed=seed)
    if as_json:
        click.echo(json.dumps(scaling_to_dict(found), indent=2, allow_nan=False))
        return
    console = make_console()
    for table in scaling_tables(found):
        console.print(table)
    for line in [*lines_below(found), holdout_in_words(opened[0])]:
        console.print(line, markup=False)
