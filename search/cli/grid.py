"""``patchscale grid``: every architecture of a budget, and how deep its models can be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from search.cli.options import request_options
from search.space.axes import ALL_AXES
from search.study.request import HpoRequest

if TYPE_CHECKING:
    from rich.table import Table


@click.command()
@click.argument("budget")
@request_options("tier", "head", tier="Feature set; the count depends on it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@request_options(*ALL_AXES, "min_head_dim", "tolerance")
def grid(as_json: bool, **options: Any) -> None:
    """List every architecture of BUDGET, and the limits of its depth.

    Counts are exact, and lie within the tolerance.
    """
    request = HpoRequest(**options)
    from pipeline.sources import open_source
    from search.space.grid import make_grid
    from search.space.window import left_out
    from search.study.recipe import fixed_architecture, settled

    settings = fixed_architecture(settled(request, open_source(request.source)))
    made = make_grid(request.size, axes=request.axes, **settings)
    found = made.to_dict()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    from search.workers.progress import make_console

    console = make_console()
    console.print(_architectures(found), _depth_limits(found))
    console.print(_reach(found), markup=False)
    if left_out(made.axes):
        console.print(left_out(made.axes), markup=False)
    limits = ", ".join(f"{name} {low:,} to {high:,}" for name, (low, high) in found["limits"].items())
    console.print(f"{len(found['architectures'])} architectures, grid {found['grid_hash']}: {limits}", markup=False)


def _architectures(found: Mapping[str, Any]) -> Table:
    title = f"{found['budget']} parameters ±{found['tolerance'] * 100:g} %, {found['n_features']} features"
    names = [*found["limits"]]
    table = _table(title, "architecture", *names)
    for row in found["architectures"]:
        table.add_row(row["label"], *(f"{row[name]:,}" for name in names))
    return table


def _depth_limits(found: Mapping[str, Any]) -> Table:
    names = ("d_model", "smallest depth", "largest depth", "depths in the grid", "architectures")
    table = _table("Depth limits, any whole number of layers", "d_ff / d_model", *names)
    for row in found["depth_limits"]:
        depths = ", ".join(map(str, row["grid_depths"])) or "none"
        limits = (f"{row[name]:,}" for name in ("d_model", "smallest", "largest"))
        table.add_row(str(row["ff_ratio"]), *limits, depths, str(row["n_architectures"]))
    return table


def _reach(found: Mapping[str, Any]) -> str:
    """Depth and width of the whole budget, on the widths of the axis."""
    rows = found["depth_limits"]
    low, high = min(row["smallest"] for row in rows), max(row["largest"] for row in rows)
    widths = [row["d_model"] for row in rows]
    return f"any depth: {low:,} to {high:,} layers, widths {min(widths):,} to {max(widths):,}"


def _table(title: str, first: str, *others: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
