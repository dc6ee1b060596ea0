"""The help of a group at 80 columns: every command in its section, each with one whole sentence on its line."""

import pytest
from click.testing import CliRunner

from search.cli import cli

SECTIONS = ["Search:", "Evidence:", "Registry:", "Data:", "Store:"]


def commands_shown(*arguments):
    done = CliRunner().invoke(cli, [*arguments, "--help"], prog_name="patchscale", terminal_width=80)
    assert done.exit_code == 0
    return done.output.split("Commands:\n")[1]


@pytest.mark.parametrize(("arguments", "group"), [((), cli), (("data",), cli.commands["data"])])
def test_every_command_has_a_line_of_at_most_80_columns_with_one_whole_sentence(arguments, group):
    shown = commands_shown(*arguments)
    lines = [line.strip() for line in shown.splitlines() if line.strip() and line.strip() not in SECTIONS]
    told = dict(line.split(maxsplit=1) for line in lines)
    assert sorted(told) == sorted(group.commands)
    assert "..." not in shown and "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    for name, sentence in told.items():
        assert sentence.endswith(".") and sentence == group.commands[name].help.splitlines()[0]


def test_commands_stand_in_their_sections_the_main_job_first():
    lines = [line.strip() for line in commands_shown().splitlines()]
    assert [line for line in lines if line.endswith(":")] == SECTIONS
    assert lines[lines.index("Search:") + 1].startswith("hpo ")
    assert lines[lines.index("Registry:") + 1].startswith("register ")
