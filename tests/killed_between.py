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

# Before one of the calls of a class's methods: by its number, 0 is the first, or by something that it is given.
KILLED_BEFORE = """
import os, signal, sys
from {module} import {owner}

before, made = {before!r}, []

def counted(function):
    def call(*arguments, **named):
        if before == len(made) or before in arguments[1:]:
            os.kill(os.getpid(), signal.SIGKILL)
        made.append(None)
        return function(*arguments, **named)
    return call

for name in {names}:
    setattr({owner}, name, counted(getattr({owner}, name)))
from search.cli import main
main(sys.argv[1:])
"""


def run_killed(
    directory: Path,
    arguments: Sequence[str],
    before: int | str,
    names: Sequence[str],
    owner: str = "mlflow.MlflowClient",
) -> bool:
    """Run a command that is killed before a call; whether it was, and did not end before it."""
    module, _, owner = owner.rpartition(".")
    script = KILLED_BEFORE.format(before=before, names=list(names), module=module, owner=owner)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment = {**kept, "PYTHONPATH": str(PROJECT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = run(
        [sys.executable, "-c", script, *arguments], cwd=directory, env=environment, capture_output=True, text=True
    )
    assert done.returncode in (-signal.SIGKILL, 0, 1), done.stderr
    return done.returncode == -signal.SIGKILL


def kills(
    directory: Path, arguments: Sequence[str], names: Sequence[str], owner: str = "mlflow.MlflowClient"
) -> Iterator[int]:
    """Kill a command before its first, its second, … call, until one ends by itself; the caller undoes each."""
    number = 0
    while run_killed(directory, arguments, number, names, owner):
        yield number
        number += 1
