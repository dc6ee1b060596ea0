"""``patchscale grid``: every architecture of a budget, and how deep its models can be."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from search.cli.values import fraction, whole_number

if TYPE_CHECKING:
    from rich.table import Table

    from search.space.axes import Axes

GRID_DEFAULTS = {
    "d_model": "",
    "n_layers": "",
    "n_heads": "",
    "ff_ratio": "",
    "min_head_dim": "8",
    "tolerance": "0.25",
}
GRID_HELP = {
    "d_model": "Widths to try, separated by commas; empty is the standard axis of the budget.",
    "n_layers": "Depths to try, separated by commas: 160,180.",
    "n_heads": "Head counts to try, separated by commas.",
    "ff_ratio": "Feed-forward widths to try, as multiples of d_model, separated by commas.",
    "min_head_dim": "Narrowest attention head, d_model / n_heads.",
    "tolerance": "Allowed deviation from the budget, a fraction: 0.25 is ±25 %.",
}


def parse_axes(options: Mapping[str, str]) -> Axes:
    """Read the axes among a command's options."""
    from search.space.axes import AXIS_NAMES, Axes, read_axis

    least = options["min_head_dim"] or GRID_DEFAULTS["min_head_dim"]
    axes = {name: read_axis(name, options[name]) for name in AXIS_NAMES}
    return Axes(**axes, min_head_dim=whole_number("min_head_dim", least, 1))


def parse_tolerance(options: Mapping[str, str]) -> float:
    """Read the tolerance among a command's options."""
    return fraction("tolerance", options["tolerance"] or GRID_DEFAULTS["tolerance"])


@click.command()
@click.argument("budget")
@click.option("--tier", default="r25", show_default=True, help="Feature set; the count depends on it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def grid(budget: str, tier: str, as_json: bool, **options: str) -> None:
    """List every architecture within the tolerance of BUDGET with exact counts, and the limits of its depth."""
    from model.spec.budget import Budget
    from pipeline.tiers import find_tier
    from search.space.grid import make_grid

    target = Budget(text=budget, tolerance=parse_tolerance(options))
    found = make_grid(target, n_features=len(find_tier(tier)), axes=parse_axes(options)).to_dict()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    from search.workers.progress import make_console

    console = make_console()
    console.print(_architectures(found), _depth_limits(found))
    console.print(_reach(found), markup=False)
    limits = ", ".join(f"{name} {low:,} to {high:,}" for name, (low, high) in found["limits"].items())
    console.print(f"{len(found['architectures'])} architectures, grid {found['grid_hash']}: {limits}", markup=False)


def _architectures(found: Mapping[str, Any]) -> Table:
    title = f"{found['budget']} parameters ±{found['tolerance'] * 100:g} %, {found['n_features']} features"
    names = ("d_model", "n_layers", "n_heads", "d_ff", "n_params")
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


def grid_options(command: click.Command) -> click.Command:
    """Add the options that shape a grid to a command."""
    for name, default in GRID_DEFAULTS.items():
        flag = "--" + name.replace("_", "-")
        decorate: Callable[[click.Command], click.Command] = click.option(
            flag, name, default=default, show_default=bool(default), help=GRID_HELP[name]
        )
        command = decorate(command)
    return command


grid = grid_options(grid)
