"""What random kills leave of a study on a Ray cluster: ``python -m benchmarks.kills``.

Each run is a small study, whose record is MLflow's server and whose schedule is PostgreSQL, worked on by a cluster of
two nodes, all real and started here.  At random times a node, the command itself, the database or MLflow's server is
killed by SIGKILL; a node and a server come back, and a killed command is given again, until the study has its target.
Then its record is compared with that of the same study on one machine, left in peace.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.trial_costs import running_servers
from tests.servers.machine import Machine
from tests.servers.ray_cluster import RayCluster

VICTIMS = ("node", "command", "database", "MLflow's server")
SETTINGS = {"budget": "5K", "tier": "r25", "max_epochs": 12, "patience": 12, "pruner": "none", "keep": "all"}
GAP_SECONDS = (1.0, 7.0)
"""Least and most seconds of work between two kills."""
LOST = "a worker ended unasked: node"


@dataclass(kw_only=True)
class Tally:
    """What a run came to.

    Parameters
    ----------
    kills : dict
        How often each was killed.
    noticed : list of float
        Seconds until each lost node was said.
    finished, target : int
        Trials.
    doubled, lost, running, different : int
        Specs that were trained to their end more than once; extremes that have no finished trial, and trials beyond
        or below the target; runs and trials that are RUNNING; trials whose loss of any epoch is not the undisturbed.
    seconds : float
        In all.
    """

    kills: dict[str, int] = field(default_factory=dict)
    noticed: list[float] = field(default_factory=list)
    finished: int = 0
    target: int = 0
    doubled: int = 0
    lost: int = 0
    running: int = 0
    different: int = 0
    seconds: float = 0.0


class Command:
    """One that runs, with what it has said so far.

    Parameters
    ----------
    machine : Machine
        That it runs on.
    arguments : str
        It is given.
    """

    def __init__(self, machine: Machine, *arguments: str) -> None:
        self.process = machine.start(*arguments)
        self.said: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for its end at most so long: whether it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def at_work(self) -> bool:
        """Whether it has opened its study and begun to hand out."""
        return any(line.startswith("study") for _, line in self.said)

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append((time.monotonic(), line))
        self.process.wait()


def search(name: str, target: int, *engine: str) -> list[str]:
    """Give the arguments of the command."""
    settings = [f"--{key.replace('_', '-')}={value}" for key, value in SETTINGS.items()]
    return ["hpo", *settings, "--trials", str(target), "--study", name, *engine]


def read(study: Any) -> tuple[dict[str, dict[int, float]], Counter[str], int, int]:
    """Read curves by spec, how often each spec finished, extremes among them, and what is RUNNING."""
    from optuna.trial import TrialState

    curves, count, extremes = {}, Counter[str](), set()
    for trial in study.schedule.get_trials():
        if trial.state == TrialState.COMPLETE and trial.user_attrs.get("end") != "reused":
            spec = trial.user_attrs["spec_hash"]
            count[spec] += 1
            curves[spec] = dict(trial.intermediate_values)
            if trial.user_attrs.get("forced") == "extreme":
                extremes.add(spec)
    running = len(study.schedule.get_trials(states=(TrialState.RUNNING,))) + len(study.runs(status="RUNNING"))
    return curves, count, len(extremes), running


def disturbed(
    machine: Machine,
    arguments: list[str],
    draw: np.random.Generator,
    kill: dict[str, Callable[[Command], None]],
    most: int,
) -> Tally:
    """Give the command until it ends by itself, and kill meanwhile."""
    tally, kills = Tally(), Counter[str]()
    began, planned = time.monotonic(), int(draw.integers(1, most + 1))
    while True:
        command = Command(machine, *arguments)
        while not command.at_work() and not command.wait(0.1):
            pass
        lost_at: list[float] = []
        while not command.wait(float(draw.uniform(*GAP_SECONDS)) if sum(kills.values()) < planned else 1.0):
            if sum(kills.values()) < planned:
                victim = str(draw.choice(VICTIMS))
                kills[victim] += 1
                if victim == "node":
                    lost_at.append(time.monotonic())
                kill[victim](command)
        said = [at for at, line in command.said if line.startswith(LOST)]
        tally.noticed += [round(min(after), 1) for at in lost_at if (after := [s - at for s in said if s > at])]
        if command.process.returncode == 0:
            break
        if command.process.returncode != -signal.SIGKILL:
            click.echo("".join(line for _, line in command.said[-5:]), err=True)
    tally.kills, tally.seconds = dict(kills), time.monotonic() - began
    return tally


@click.command()
@click.option("--runs", default=20, show_default=True, help="Studies.")
@click.option("--trials", default=6, show_default=True, help="Trials of each.")
@click.option("--kills", default=4, show_default=True, help="Most kills of a study.")
@click.option("--seed", default=0, show_default=True, help="Of what is killed when.")
def main(runs: int, trials: int, kills: int, seed: int) -> None:
    """Print a line a run, and the sums."""
    from search.study.study import load_study
    from search.tracking.stores import resolve_stores

    draw, tallies = np.random.default_rng(seed), []
    started = running_servers()
    with tempfile.TemporaryDirectory() as directory, started as (database, tracking), closing(RayCluster()) as cluster:
        storage = database.url(database.create())
        os.chdir(directory)
        machine = Machine(Path(directory) / "machine", "east", tracking.url, storage)
        stores = resolve_stores(tracking.url, storage)
        engine = ("--engine", "ray", "--address", cluster.address)

        def node(command: Command) -> None:
            cluster.kill_node()
            cluster.add_node()

        kill: dict[str, Callable[[Command], None]] = {
            "node": node,
            "command": lambda command: os.kill(command.process.pid, signal.SIGKILL),
            "database": lambda command: database.restart(signal.SIGKILL),
            "MLflow's server": lambda command: tracking.restart(signal.SIGKILL),
        }
        machine.run(*search("peace", trials, "--workers", "2"))
        expected, *_ = read(load_study(stores, "peace"))
        extremes = read(load_study(stores, "peace"))[2]
        for number in range(runs):
            name = f"run-{number}"
            tally = disturbed(machine, search(name, trials, *engine), draw, kill, kills)
            curves, count, kept, tally.running = read(load_study(stores, name))
            tally.finished, tally.target = sum(count.values()), trials
            tally.doubled = sum(each - 1 for each in count.values())
            tally.lost = extremes - kept + abs(trials - len(count))
            tally.different = sum(curve != expected[spec] for spec, curve in curves.items() if spec in expected)
            tallies.append(tally)
            click.echo(json.dumps({"run": number, **asdict(tally), "seconds": round(tally.seconds)}))
        machine.close()
        os.chdir("/")
    click.echo(summary(tallies))


def summary(tallies: list[Tally]) -> str:
    """Add the runs up, with versions and machine."""
    kills = Counter[str]()
    for tally in tallies:
        kills.update(tally.kills)
    noticed = [seconds for tally in tallies for seconds in tally.noticed]
    losses = "no node was lost that had a trial"
    if noticed:
        times = f"{np.median(noticed):.1f} s in the median, {max(noticed):.1f} s at most"
        losses = f"a lost node with a trial was said after {times} ({len(noticed)} of them)"
    sums = {
        name: sum(getattr(tally, name) for tally in tallies) for name in ("doubled", "lost", "running", "different")
    }
    libraries = ", ".join(f"{name} {version(name)}" for name in ("ray", "mlflow", "optuna", "torch"))
    return "\n".join(
        [
            f"{len(tallies)} runs, {sum(tally.finished for tally in tallies)} trials; killed: "
            + ", ".join(f"{name} {kills[name]}" for name in VICTIMS),
            ", ".join(f"{name} {count}" for name, count in sums.items()),
            losses,
            f"{date.today()}, Python {sys.version.split()[0]}, {libraries}, {os.cpu_count()} cores "
            f"{platform.machine()}, load {os.getloadavg()[0]:.1f}",
        ]
    )


if __name__ == "__main__":
    main()
