"""``patchscale report``: a study's evidence as one page."""

from __future__ import annotations

import webbrowser
from functools import partial

import click

from search.cli.options import store_options
from search.study.values import whole_number
from search.tracking.stores import Stores


@click.command()
@click.argument("studies", nargs=-1, required=True, metavar="STUDY...")
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
@click.option("--resamples", default="2000", show_default=True, help="Bootstrap resamples.")
@store_options
def report(stores: Stores, studies: tuple[str, ...], open_page: bool, resamples: str) -> None:
    """Write the evidence of STUDY as one page.

    The page of the first STUDY, with the others compared beside it, is logged to its run. One self-contained HTML
    file, PNGs and CSVs: intervals, tests over all trials, importances, calibration, learning curves. Baselines that
    are missing are logged first. The test split stays sealed.
    """
    n_resamples = whole_number("resamples", resamples, 1)
    from search.report import write_report
    from search.workers.progress import make_console

    console = make_console()
    page = write_report(stores, studies, n_resamples=n_resamples, say=partial(console.print, markup=False))
    console.print(f"report of {studies[0]}, {page.stat().st_size / 2**20:.1f} MiB, also in its run under report/:")
    click.echo(str(page))
    if open_page:
        webbrowser.open(page.as_uri())
