"""``patchscale import``: an earlier study's results, as runs."""

from __future__ import annotations

from pathlib import Path

import click

from search.cli.options import request_options

KINDS = ("csv", "json", "log")


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(KINDS), default=None, help="Of every file; else its suffix says it.")
@request_options("tracking_uri")
def import_results(paths: tuple[Path, ...], kind: str | None, tracking_uri: str) -> None:
    """Import legacy results from PATHS, each trial a run.

    Again adds nothing. Reads CSV result tables, JSON lists of trials (bare, or under 'trials'), and logs. What a
    source does not say is absent; n_heads is recovered from arch_idx only with proof. Every file is parsed before
    anything is written.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from search.legacy.record.importer import import_files, parse_files
    from search.tracking.stores import resolve_stores
    from search.workers.progress import make_console

    console = make_console()
    parsed = parse_files(paths, kind)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("trials", total=sum(len(report.trials) for _, report in parsed))
        links = import_files(resolve_stores(tracking_uri), parsed, lambda: progress.advance(bar))
    for _, report in parsed:
        for line in report.text():
            click.echo(line)
    for link in links:
        click.echo(f"board: {link}")
