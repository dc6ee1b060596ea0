"""The command group ``data``: pull and check market data, list, show and compare versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from pipeline.exceptions import InputError, with_short_words
from search.cli.options import store_options
from search.study.values import whole_number
from search.tracking.stores import Stores

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from pipeline.snapshots.snapshot import Snapshot
    from pipeline.sources import Source

DEFAULT_ROOT = Path("data")
SHOWN_DIGITS = 12
SHOWN_ITEMS = 10
FRESH_SESSIONS = 10
"""A series that lacks more of them is said to be old."""
ENDED_SOURCE = "sample"


root_option = click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_ROOT,
    show_default=True,
    envvar="PATCHSCALE_DATA",
    help="Data directory.",
)


@click.group()
def data() -> None:
    """Pull and check market data, and look at its versions."""


@data.command()
@click.argument("tickers", nargs=-1)
@click.option(
    "--source",
    default="yahoo",
    show_default=True,
    help="yahoo, sample, or csv:DIRECTORY?adjusted=yes (or no; further &dates=dmy, &decimal=comma).",
)
@root_option
def pull(tickers: tuple[str, ...], source: str, root: Path) -> None:
    """Download the whole history of TICKERS as snapshots.

    Without TICKERS the source's own is taken. Each is compared with the snapshot before it; nothing is ever
    overwritten.
    """
    from pipeline.sources import open_source
    from search.workers.progress import make_console

    opened = open_source(source)
    console = make_console()
    failures = _pull_all(console, root, opened, tickers or (opened.default_ticker,))
    if failures:
        _stop(f"{len(failures)} of {max(len(tickers), 1)} tickers could not be pulled: {', '.join(failures)}", 2)


@data.command()
@click.argument("tickers", nargs=-1)
@click.option("--source", default=None, help="Only snapshots of this source.")
@click.option("--all-items", is_flag=True, help="Print every item, not the first ten of each finding.")
@root_option
def check(tickers: tuple[str, ...], source: str | None, all_items: bool, root: Path) -> None:
    """Check the newest snapshots of TICKERS.

    Without TICKERS all are checked; the exit code is 1 if there are errors. The whole report is written beside each
    snapshot.
    """
    import pandas as pd

    from pipeline.checks.stored import check_snapshot
    from pipeline.exceptions import DataError
    from pipeline.snapshots.snapshot import latest_snapshots

    newest = latest_snapshots(root, source)
    unknown = [ticker for ticker in tickers if ticker not in newest]
    if unknown or not newest:
        raise DataError(
            f"a ticker to check must have a snapshot under {root} ({', '.join(newest) or 'none there'}), "
            f"got {', '.join(unknown) or 'no ticker'}; pull it first: patchscale data pull TICKER"
        )
    reports = []
    for snapshot in (newest[ticker] for ticker in tickers or newest):
        beside = {each.ticker: pd.Timestamp(each.last) for each in newest.values() if each.source == snapshot.source}
        reports.append(check_snapshot(root, snapshot, last_sessions=beside))
    for report in reports:
        click.echo(report.text(None if all_items else SHOWN_ITEMS))
        for each in filter(None, (_read_as(newest[report.ticker]), _old(root, newest[report.ticker]))):
            click.echo(f"  {each}")
    errors = sum(len(report.errors) for report in reports)
    warnings = sum(len(report.warnings) for report in reports)
    click.echo(f"{len(reports)} checked: {errors} errors, {warnings} warnings; reports lie beside the snapshots")
    if errors:
        _stop(f"{errors} checks found errors; a build from these snapshots is refused", 1)


@data.command("list")
@root_option
def list_command(root: Path) -> None:
    """List snapshots and dataset versions."""
    from rich.table import Table

    from pipeline.datasets.catalogue import list_datasets
    from pipeline.snapshots.snapshot import list_snapshots
    from search.workers.progress import make_console

    console = make_console()
    snapshots = Table("snapshot", "ticker", "source", "span", "sessions", "prices", "retrieved", title="Snapshots")
    for each in list_snapshots(root):
        basis = "adjusted" if each.adjusted else "as traded"
        span = f"{each.first} to {each.last}"
        snapshots.add_row(
            each.digest[:SHOWN_DIGITS], each.ticker, each.source, span, f"{each.rows:,}", basis, each.retrieved_at[:19]
        )
    datasets = Table("dataset", "ticker", "source", "tier", "features", "days", "warnings", "written", title="Datasets")
    for entry in list_datasets(root):
        named = (entry.digest[:SHOWN_DIGITS], entry.ticker, entry.source, entry.tier)
        counts = (len(entry.features), entry.rows, len(entry.warnings))
        datasets.add_row(*named, *(f"{count:,}" for count in counts), entry.written_at)
    for table in (snapshots, datasets):
        console.print(table if table.row_count else f"{table.title}: none under {root}")


@data.command()
@click.argument("version")
@root_option
def show(version: str, root: Path) -> None:
    """Show a snapshot or dataset VERSION.

    It is named by the first digits of its digest.
    """
    from pipeline.datasets.catalogue import describe, find_version

    for name, value in describe(root, find_version(root, version)):
        click.echo(f"{name:<20} {value}")


@data.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@root_option
def diff(before: str, after: str, root: Path) -> None:
    """Compare A and B, two snapshots or two datasets."""
    from pipeline.datasets.catalogue import differences, find_version

    lines = differences(root, find_version(root, before), find_version(root, after))
    click.echo("\n".join(lines) or "no difference")


@data.command()
@click.option(
    "--for-model", "version", required=True, metavar="MODEL_VERSION", help="As in patchscale-SPY-h1@champion."
)
@click.option("--ticker", default="", help="Whose bars (default: the model's own; another is refused).")
@click.option("--days", default="1", show_default=True, help="Newest sessions that the model is to forecast.")
@click.option("--format", "form", default="json", show_default=True, help="json, or csv for Content-Type: text/csv.")
@click.option("--out", default="-", show_default=True, help="File to write; - is standard output.")
@click.option("--source", default="", help="Refresh from here (default: the source of the model's own data).")
@click.option("--offline", is_flag=True, help="Do not refresh; take the newest snapshots.")
@store_options
def export(
    stores: Stores, version: str, ticker: str, days: str, form: str, out: str, source: str, offline: bool
) -> None:
    """Write the request that a served model answers.

    It holds the newest bars of the model's ticker, with the columns of other tickers that it reads, and as many
    sessions as a forecast needs.
    """
    n_days = whole_number("days", days, 1)
    from search.registry.live.request_body import FORMATS, request_body

    if form not in FORMATS:
        raise InputError(f"format must be one of {', '.join(FORMATS)}, got {form!r}")
    body = request_body(stores, version, ticker=ticker, source=source, offline=offline, days=n_days)
    for remark in body.remarks:
        click.echo(f"note: {remark}", err=True)
    if out == "-":
        click.echo(body.text(form))
        return
    from pipeline.snapshots.snapshot import write_atomically

    write_atomically(Path(out), lambda part: part.write_text(body.text(form), encoding="utf-8"))
    first, last = (str(day.date()) for day in body.bars["date"].iloc[[0, -1]])
    click.echo(f"{out}: {len(body.bars):,} sessions {first} to {last} for {body.version}")


def _stop(message: str, exit_code: int) -> NoReturn:
    click.echo(f"error: {with_short_words(message)}", err=True)
    click.get_current_context().exit(exit_code)


def _pull_all(console: Console, root: Path, source: Source, tickers: Sequence[str]) -> list[str]:
    """Pull each ticker under its own progress bar; return those that failed."""
    from pipeline.exceptions import DataError
    from pipeline.snapshots.pull import pull as pull_ticker

    failures = []
    with _progress(console) as progress:
        bars = {ticker: progress.add_task(ticker, total=None, start=False) for ticker in tickers}
        for ticker, bar in bars.items():
            progress.start_task(bar)
            try:
                snapshot, refresh = pull_ticker(root, source, ticker)
            except DataError as error:
                failures.append(ticker)
                progress.console.print(f"failed: {error}", markup=False)
                continue
            finally:
                progress.update(bar, total=1, completed=1)
            stored = f"{snapshot.digest[:SHOWN_DIGITS]}, {snapshot.rows:,} sessions {snapshot.first} to {snapshot.last}"
            compared = "first snapshot" if refresh is None else refresh.text()
            said = [each for each in (_read_as(snapshot), _old(root, snapshot)) if each]
            progress.console.print("; ".join([f"{ticker}: {stored}", *said, compared]), markup=False)
            for line in _found(root, snapshot):
                progress.console.print(line, markup=False)
    return failures


def _read_as(snapshot: Snapshot) -> str:
    """Say what was taken from the file, and what was left out of it."""
    return "; ".join(
        each for each in (f"read as {snapshot.reading}" if snapshot.reading else "", *snapshot.warnings) if each
    )


def _old(root: Path, snapshot: Snapshot) -> str:
    """Say of a snapshot that ends long ago that it does; empty if it doesn't, or if its source always ends there."""
    from datetime import UTC, datetime

    from pipeline.calendars import calendar_of
    from pipeline.snapshots.snapshot import load_snapshot
    from pipeline.trading_days import overdue_days

    dates = load_snapshot(root, snapshot).index
    overdue = len(overdue_days(dates, calendar_of(snapshot.ticker), datetime.now(UTC).date()))
    if overdue <= FRESH_SESSIONS or snapshot.source == ENDED_SOURCE:
        return ""
    return f"old: it ends on {snapshot.last}, {overdue:,} sessions ago"


def _found(root: Path, snapshot: Snapshot) -> Iterator[str]:
    """Every error that the checks find, so that all faults of a file are known at once."""
    from pipeline.checks.stored import check_snapshot

    for finding in check_snapshot(root, snapshot).errors:
        yield f"  {finding.severity}  {finding.check}: {finding.rule} ({len(finding.items):,})"
        yield from (f"     {item}" for item in finding.items[:SHOWN_ITEMS])
        if len(finding.items) > SHOWN_ITEMS:
            yield f"     … and {len(finding.items) - SHOWN_ITEMS:,} more: patchscale data check --all-items"


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    """Bars on a terminal, nothing in a log; a source's warnings are printed above them."""
    import logging

    from rich.logging import RichHandler
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    logger = logging.getLogger("pipeline.sources")
    handler = RichHandler(console=console, show_time=False, show_path=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    logger.addHandler(handler)
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            yield progress
    finally:
        logger.removeHandler(handler)
