from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.kills import VICTIMS, Tally, disturbed, summary


class Sleeper:
    """A machine whose only command takes a second."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        script = "import time, sys\nprint('study s', flush=True)\ntime.sleep(1)\nprint(sys.argv[1:])"
        command = [sys.executable, "-c", script, *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=self.directory)


def test_a_killed_command_is_given_again_until_it_ends_by_itself(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("benchmarks.kills.GAP_SECONDS", (0.05, 0.1))
    kill = dict.fromkeys(VICTIMS, lambda command: command.process.send_signal(signal.SIGKILL))
    tally = disturbed(Sleeper(tmp_path), ["a"], np.random.default_rng(1), kill, 3)
    assert 1 <= sum(tally.kills.values()) <= 3 and set(tally.kills) <= set(VICTIMS)
    assert tally.noticed == []


def test_the_sums_are_those_of_the_runs() -> None:
    tallies = [
        Tally(kills={"node": 2, "command": 1}, noticed=[1.0, 4.0], finished=6, target=6),
        Tally(kills={"node": 1}, noticed=[2.0], finished=6, target=6, doubled=1, running=2, different=1),
    ]
    said = summary(tallies)
    assert "2 runs, 12 trials; killed: node 3, command 1, database 0, MLflow's server 0" in said
    assert "doubled 1, lost 0, running 2, different 1" in said
    assert "after 2.0 s in the median, 4.0 s at most (3 of them)" in said and "ray " in said
