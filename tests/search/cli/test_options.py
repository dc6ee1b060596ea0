"""Options are read before anything slow is loaded: help and mistakes are answered at once."""

import json
import subprocess
import sys

import click
import pytest

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
