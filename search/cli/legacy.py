"""``patchscale import``: an earlier study's results, as runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from search.cli.options import request_options
from search.study.request import HpoRequest

CONTINUED = ("source", "ticker", "tier", "horizon", "threshold", "split", "study")
KINDS = ("csv", "json", "log", "optuna", "table", "ray", "mlflow")


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--kind", type=click.Choice(KINDS), default=None, help="Of every file; else its suffix or content says it."
)
@click.option("--map", "columns", multiple=True, help="OURS=THEIRS: n_heads=model.heads; may be given again.")
@click.option(
    "--objective",
    type=click.Choice(("minimize", "maximize")),
    default=None,
    help="What was done with the value, where the source does not say it.",
)
@click.option("--continue-as", "budget", default=None, help="Budget in whose grid the imported study goes on: 2M.")
@request_options(
    *CONTINUED, "tracking_uri", "storage", **dict.fromkeys(CONTINUED, "Of the study that goes on, as of hpo.")
)
def import_results(
    paths: tuple[Path, ...],
    kind: str | None,
    columns: tuple[str, ...],
    objective: str | None,
    budget: str | None,
    tracking_uri: str,
    storage: str,
    **continued: Any,
) -> None:
    """Import results of others from PATHS, each trial a run.

    Again adds nothing. Reads an earlier study's CSV tables, JSON lists of trials and logs, plain or packed; Optuna's
    storages (SQLite, journal) and data frames; tables and JSON lines of W&B and Ray Tune; folders of Ray Tune and of
    MLflow's old file store. What a source does not say is absent; n_heads is recovered from arch_idx only with proof.
    Every file is parsed before anything is written.

    --continue-as queues the settings of one imported study that lie in a budget's grid, best first, as trials of a
    study of that name; results of other data are not taken over.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from search.legacy.record.importer import import_files, parse_files
    from search.legacy.recover.column_map import read_map
    from search.tracking.stores import resolve_stores
    from search.workers.progress import make_console

    console = make_console()
    parsed = parse_files(paths, kind, read_map(columns), objective or "")
    continuation = None
    if budget is not None:
        from search.hpo.continued import plan_continuation, queue_continuation
        from search.legacy.parse.spilled import Spilled

        request = HpoRequest(budget=budget, tracking_uri=tracking_uri, storage=storage, **continued)
        continuation = plan_continuation(request, Spilled(trial for _, report in parsed for trial in report.trials))
    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*shown, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("trials", total=sum(len(report.trials) for _, report in parsed))
        links = import_files(resolve_stores(tracking_uri), parsed, lambda: progress.advance(bar))
    for _, report in parsed:
        for line in report.text():
            click.echo(line)
    for link in links:
        click.echo(f"board: {link}")
    if continuation is not None:
        for line in queue_continuation(continuation):
            click.echo(line)
