"""A group of commands whose help lists them under headings, each with its first sentence, whole."""

from __future__ import annotations

import click

WHOLE = 1_000


class SectionedGroup(click.Group):
    """Commands in sections; click itself sorts them by name and cuts what they say."""

    def __init__(self, *arguments: object, **settings: object) -> None:
        super().__init__(*arguments, **settings)  # type: ignore[arg-type]
        self.sections: dict[str, tuple[click.Command, ...]] = {}

    def add_section(self, title: str, *commands: click.Command) -> None:
        """Add commands under a heading, in this order."""
        self.sections[title] = commands
        for command in commands:
            self.add_command(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections, their columns in line."""
        width = max(map(len, self.commands))
        with formatter.section("Commands"):
            for title, commands in self.sections.items():
                with formatter.section(title):
                    formatter.write_dl([(str(c.name).ljust(width), c.get_short_help_str(WHOLE)) for c in commands])
