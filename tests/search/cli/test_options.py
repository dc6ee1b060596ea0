"""Options are read before anything slow is loaded: help and mistakes are answered at once."""

import json
import subprocess
import sys

import click
import pytest

from pipeline.exceptions import DataError
from search.cli import cli

SLOW = ("torch", "mlflow", "optuna", "pandas", "scipy", "sklearn")
PROBE = f"""
import contextlib, io, json, sys
from search.cli import main

for arguments in json.loads(sys.argv[1]):
    said, code = io.StringIO(), None
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            main(arguments)
    except SystemExit as ended:
        code = ended.code
    print(json.dumps([arguments, code, said.getvalue(), [name for name in {SLOW} if name in sys.modules]]))
"""
BAD_OF_HPO = {
    "--budget": "20Q",
    "--d-model": "0",
    "--n-layers": "160,x",
    "--n-heads": "two",
    "--ff-ratio": "-2",
    "--context-length": "60d",
    "--patch-length": "0",
    "--stride": "5,",
    "--min-head-dim": "0",
    "--tolerance": "25",
    "--trials": "0",
    "--horizon": "0",
    "--threshold": "-0.01",
    "--source": "bloomberg",
    "--train-tickers": "^IXIC,^IXIC",
    "--tier": "r99",
    "--accept": "halt",
    "--split": "someday",
    "--sampler": "cmaes",
    "--workers": "0",
    "--pruner": "hyperband",
    "--timeout": "soon",
    "--seed": "9223372036854775808",
    "--max-epochs": "0",
    "--patience": "none",
    "--learning-rate": "1e-3:1e-5:log",
    "--weight-decay": "0:1:log",
    "--warmup-fraction": "1",
    "--dropout": "half",
    "--batch-size": "0",
    "--attention-dropout": "0:1:2:3",
    "--label-smoothing": "-0.1",
    "--weight-average": "0.9:0.9",
    "--offset": "forest",
    "--instance-norm": "batch",
    "--study": "it's",
    "--device": "tpu",
    "--budgett": "2M",
}
BAD = [
    *(["hpo", option, value] for option, value in BAD_OF_HPO.items()),
    *(["campaign", option, value] for option, value in BAD_OF_HPO.items() if option not in ("--budget", "--study")),
    ["campaign", "--horizons", "1,x"],
    ["campaign", "--json"],
    ["grid", "20Q"],
    ["grid", "2M", "--tier", "r99"],
    ["status", "--json", "--watch"],
    ["supplement", "x", "--workers", "0"],
    ["walkforward", "x", "--seeds", "0"],
    ["walkforward", "x", "--device", "tpu"],
    ["report", "x", "--resamples", "0"],
    ["scaling", "x", "--resamples", "1"],
    ["scaling", "x", "--seed", "-1"],
    ["power", "--days", "x"],
    ["power", "--auc", "x"],
    ["register", "x", "--seeds", "0"],
    ["register", "x", "--force", " "],
    ["promote", "x/1", "--force", " "],
    ["rollback", "x", "--to", "first"],
    ["predict"],
    ["predict", "--ticker", "SPY", "--horizon", "0"],
    ["ui", "--port", "0"],
    ["ui", "--host", "0.0.0.0"],
    ["gc", "x", "--keep", "-1"],
    ["no-such-command"],
]


def every_command(group, *before):
    for name, command in group.commands.items():
        yield [*before, name]
        if isinstance(command, click.Group):
            yield from every_command(command, *before, name)


def answers(asked):
    done = subprocess.run([sys.executable, "-c", PROBE, json.dumps(asked)], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_help_of_every_command_loads_nothing_slow():
    asked = [[*words, "--help"] for words in [[], *every_command(cli)]]
    found = answers(asked)
    assert [arguments for arguments, *_ in found] == asked
    for arguments, code, said, slow in found:
        assert (arguments, code, slow) == (arguments, 0, [])
        assert said.startswith(f"Usage: patchscale {' '.join(arguments[:-1])}".rstrip())


@pytest.mark.lesson("L34")
def test_a_mistake_that_needs_no_data_is_answered_before_anything_slow_is_loaded():
    found = answers(BAD)
    assert [arguments for arguments, *_ in found] == BAD
    for arguments, code, said, slow in found:
        assert (arguments, code, slow) == (arguments, 2, []), said
        assert said.startswith("error: ") and said.count("\n") == 1


RUBBISH = (
    *(
        "9" * 400,
        "9" * 5000,
        "-1",
        "nan",
        "inf",
        "1e400",
        "",
        "  ",
        "\x07",
        "äöü",
        "x" * 300,
        "x" * 10_000,
        "..",
        "a/b",
    ),
)
NAMES = ("9" * 400, "", "\x07ä \udcff", "x" * 250, "../x")
FITTING = {
    "budget": (f"{'9' * 400}B", f"{'9' * 5000}B", f"0.{'9' * 400}B", "0.0000000001K"),
    "timeout": (f"{'9' * 400}d", f"{'9' * 5000}s", "999999999d"),
    "where": (f"n_layers={'9' * 400}", f"n_layers={'9' * 5000}"),
    "batch_size": (f"1:{'9' * 400}", "64:128:1e-999999", "64:128:1e999999"),
    "dropout": ("0:0.5:nan", "0:0.5:inf", "0:0.5:-1", "0:0.5:1e-400"),
    "split": ("9999-12-31/9999-12-31/9999-12-31", f"{'9' * 400}-01-01/2020-01-01/2021-01-01"),
    "model_version": (f"any/{'9' * 400}", "any@\x07"),
    "blend": (f"boosting:{'9' * 400}", "boosting:nan"),
    "source": ("csv:", "csv:.?adjusted=maybe", f"csv:{'x' * 300}?adjusted=yes", "csv:any?adjusted=yes&dates=\x07"),
    "tracking_uri": (
        "sqlite:///",
        f"sqlite:///{'x' * 300}/a.db",
        "sqlite:////dev/null/a.db",
        "http://[",
        "postgresql://",
    ),
    "storage": ("sqlite:///", f"sqlite:///{'x' * 300}/a.db", "postgresql://u:p@[/x"),
    "columns": ("n_heads=", "=x", f"n_heads={'x' * 10_000}"),
}
"""What begins like a value of an option, by its name."""
SHARED = {"tracking_uri": "status", "storage": "status", "workers": "hpo", "device": "hpo", "engine": "hpo"}
SHARED |= {"address": "hpo", "gpus_per_trial": "hpo"}
"""Options that several commands read alike, with the one that is tried."""
NEEDED = {"budget": "5K", "study": "any", "studies": "any", "model_version": "any/1", "paths": "any"}


def commands(group, *before):
    for name, command in group.commands.items():
        yield from (
            commands(command, *before, name) if isinstance(command, click.Group) else [((*before, name), command)]
        )


def parameters():
    """Name of a command, and one of its parameters that takes a text."""
    for path, command in commands(cli):
        for each in command.params:
            read_elsewhere = SHARED.get(each.name, path[0]) != path[0] or (path[0] == "campaign" and each.name in TRIED)
            if not getattr(each, "is_flag", False) and not read_elsewhere:
                yield " ".join(path), each.name


TRIED = {each.name for each in cli.commands["hpo"].params}


def command_line(path, name, text):
    """Words of a command with one parameter of this text, beside those that must be given."""
    command = dict(commands(cli))[tuple(path.split())]
    given = {each: NEEDED.get(each.name, "any") for each in command.params if each.required}
    given |= {each: text for each in command.params if each.name == name}
    options = [f"{each.opts[0]}={value}" for each, value in given.items() if isinstance(each, click.Option)]
    return [
        *path.split(),
        *options,
        "--",
        *(value for each, value in given.items() if isinstance(each, click.Argument)),
    ]


def texts(path, name):
    """What a parameter is given: one that only names something has no number to be."""
    named = any(each.name == name for each in dict(commands(cli))[tuple(path.split())].params if is_name(each))
    return (*(NAMES if named else RUBBISH), *FITTING.get(name, ()))


def is_name(parameter):
    return isinstance(parameter, click.Argument) and parameter.name != "budget"


@pytest.fixture
def still(record, monkeypatch):
    """What would work for hours, serve or download is not begun."""
    record("search.hpo.command.run_study", 0)
    record("search.hpo.campaign.run_campaign", 0)
    record("os.execvpe")

    def refuse(source, ticker):
        raise DataError("enough")

    monkeypatch.setattr("pipeline.sources.yahoo.YahooSource.fetch", refuse)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted({path for path, _ in parameters()}))
def test_rubbish_is_refused_in_one_line_or_answered(still, command, path):
    asked = [name for each, name in parameters() if each == path]
    for name, text in ((each, text) for each in asked for text in texts(path, each)):
        code, _, error = command(*command_line(path, name, text))
        shown = (path, name, text[:40], code, error[:300])
        assert code in (0, 1, 2), shown
        if code == 2:
            last = error.rstrip("\n").splitlines()[-1]
            assert last.startswith("error: "), shown
            assert error.count("error: ") == 1, shown
            assert len(last) < 2_000, shown
