"""The reference of commands and options, as a page made from the command line itself."""

from __future__ import annotations

import html
import inspect
from collections.abc import Iterator

import click

from search.cli import cli
from search.cli.sections import SectionedGroup

PROGRAM = "patchscale"
HEAD = f"""# Commands

Every command with every option, made from the code when this site is built; `{PROGRAM} COMMAND --help` says the same.
Exit codes are [listed](variables.md#exit-codes).
"""
LEFT_OUT = ("help", "version")


def reference(group: SectionedGroup = cli) -> str:
    """Return the page: the sections of the command line, a heading a command, a row an option."""
    parts = [HEAD]
    for title, commands in group.sections.items():
        parts.append(f"## {title}\n")
        for command in commands:
            parts += _command(f"{PROGRAM} {command.name}", command)
    return "\n".join(parts)


def _command(path: str, command: click.Command) -> Iterator[str]:
    """Describe a command, and those below it."""
    below = list(getattr(command, "commands", {}).values())
    if not below:
        pieces = command.collect_usage_pieces(click.Context(command, info_name=path))
        yield f"### {path}\n\n```\n{' '.join([path, *pieces])}\n```\n"
        yield f"{_text(inspect.cleandoc(command.help or ''))}\n"
        options = [each for each in command.params if isinstance(each, click.Option) and each.name not in LEFT_OUT]
        if options:
            yield "| option | |\n|---|---|"
            yield "\n".join(map(_row, options)) + "\n"
    for each in below:
        yield from _command(f"{path} {each.name}", each)


def _row(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    default = option.to_info_dict()["default"]
    known = isinstance(default, str | int | float) and not option.is_flag and default != ""
    says = _text(option.help or "").replace("|", "&#124;")
    return f"| {names} | {says}{f' Default: `{default}`.' if known else ''} |"


def _text(said: str) -> str:
    """Words as they are: nothing in them is markup."""
    return html.escape(said, quote=False).replace("*", "\\*")
