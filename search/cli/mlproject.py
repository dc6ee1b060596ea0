"""``python -m search.cli.mlproject``: write the MLproject, whose entry points are commands with all their options."""

from __future__ import annotations

from pathlib import Path

import click

from search.cli.campaign import campaign
from search.cli.hpo import hpo

HEAD = "name: patchscale\nconda_env: conda.yaml\nentry_points:\n"


def mlproject(*commands: click.Command) -> str:
    """Return the file's text; flags are left out, since a parameter always has a value."""
    return HEAD + "".join(map(_entry_point, commands))


def _entry_point(command: click.Command) -> str:
    options = [each for each in command.params if isinstance(each, click.Option) and not each.is_flag]
    lines = [
        f"  {command.name}:",
        "    parameters:",
        *(f'      {each.name}: {{type: string, default: "{each.default}"}}' for each in options),
        "    command: >-",
        f"      python -m search {command.name}",
        *(f"      {each.opts[0]} {{{each.name}}}" for each in options),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path("MLproject").write_text(mlproject(hpo, campaign), encoding="utf-8")
