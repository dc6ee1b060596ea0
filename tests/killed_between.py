"""Commands that are killed, as by SIGKILL, between two things that they do."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.forking_commands import run

PROJECT = Path(__file__).resolve().parents[1]

# In the middle of the first deletion of weights: before or after the file goes.
KILLED_BETWEEN = """
import os, signal, sys
from search.results import weights

delete = weights.delete_checkpoint

def killed(client, run):
    if "{when}" == "after":
        delete(client, run)
    os.kill(os.getpid(), signal.SIGKILL)

weights.delete_checkpoint = killed
from search.cli import main
main(sys.argv[1:])
"""

# Before one of the calls of some methods: by its number, 0 is the first, or by something that it is given.
KILLED_BEFORE = """
import importlib, os, signal, sys
from search.cli import main

before, made = {before!r}, []

def counted(function):
    def call(*arguments, **named):
        if before == len(made) or before in arguments[1:]:
            os.kill(os.getpid(), signal.SIGKILL)
        made.append(None)
        return function(*arguments, **named)
    return call

for method in {methods}:
    place, owner, name = method.rsplit(".", 2)
    owner = getattr(importlib.import_module(place), owner)
    setattr(owner, name, counted(getattr(owner, name)))
{then}
"""
COMMAND = "main(sys.argv[1:])"


def run_killed(
    directory: Path, arguments: Sequence[str], before: int | str, methods: Sequence[str], then: str = COMMAND
) -> bool:
    """Run a command, or what else is done ``then``, that is killed before a call; whether it did not end before it.

    Parameters
    ----------
    directory, arguments
        Where it runs, and what it is given.
    before : int or str
        Which call: its number, or something that it is given.
    methods : sequence of str
        Whose calls count, as in ``mlflow.MlflowClient.create_run``.
    then : str
        What it does.
    """
    script = KILLED_BEFORE.format(before=before, methods=list(methods), then=then)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment = {**kept, "PYTHONPATH": str(PROJECT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-c", script, *arguments]
    done = run(command, cwd=directory, env=environment, capture_output=True, text=True)
    assert done.returncode in (-signal.SIGKILL, 0, 1) and "Traceback" not in done.stderr, done.stderr
    return bool(done.returncode == -signal.SIGKILL)


def kills(directory: Path, arguments: Sequence[str], methods: Sequence[str], then: str = COMMAND) -> Iterator[int]:
    """Kill a command before its first, its second, … call, until one ends by itself."""
    number = 0
    while run_killed(directory, arguments, number, methods, then):
        yield number
        number += 1
