"""How many hands one brain can keep busy: ``python -m benchmarks.scale``.

Measures what a trial asks of the brain, of the databases and of MLflow's server, on SQLite and on real servers that it
starts (PostgreSQL, ``mlflow server``), with the real coordinator's parts, runner and record; only the steps of an epoch
are left out.  Takes the durations of the trials of a small study that it runs, and simulates 1 to 256 hands over them
and over the same durations stretched.  Writes a table and a curve.

Seconds are the processor's, ours and the servers', so that other work on the machine is not in them.

A hand asks the brain, which serves one at a time; starts its run, trains, ends its run; the brain hears of it and lets
weights go that lost.  What a database or a server does for them is queued for there: its processors' seconds, or on
SQLite the seconds for which the file is locked.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
import simpy

from benchmarks.overhead import no_training
from benchmarks.trial_costs import LARGE_STUDY, Cost, measure, servers, small_study

HANDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MEANS = (("ten seconds", 10.0), ("a minute", 60.0), ("ten minutes", 600.0))
WANTED = 0.9
"""Efficiency below which more hands are called too many."""
ROUNDS = 6
"""Trials of each hand that are counted, after two that are not."""
MOST = HANDS[-1]
"""Hands beyond which none are tried."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was simulated: the share of the hands' time that is training, and how busy each shared thing was."""

    hands: int
    efficiency: float
    busy: Mapping[str, float]

    @property
    def limit(self) -> str:
        """What was busiest."""
        return max(self.busy, key=lambda name: self.busy[name])


def simulate(hands: int, cost: Cost, durations: Sequence[float], *, rounds: int = ROUNDS, seed: int = 0) -> Outcome:
    """Let so many hands train one trial after another, until each has had its rounds.

    Parameters
    ----------
    hands : int
        At work from the beginning to the end, so that no hand waits for the last trial of a study.
    cost : Cost
        Of a trial beside its training.
    durations : sequence of float
        Seconds of training, drawn at random.
    """
    world, draw = simpy.Environment(), np.random.default_rng(seed)
    brain = simpy.Resource(world)
    shared = {name: simpy.Resource(world, cost.places.get(name, 1)) for name in cost.shared}
    busy: dict[str, float] = defaultdict(float)
    trained, since = [0.0], [0.0] * hands
    """Seconds of training that have ended, and for each hand since when it has trained, 0 if it does not."""

    def hold(name: str, resource: simpy.Resource, seconds: float) -> Iterator[Any]:
        with resource.request() as turn:
            yield turn
            yield world.timeout(seconds)
            busy[name] += seconds / resource.capacity

    def record(part: float) -> Iterator[Any]:
        for name, resource in shared.items():
            yield from hold(name, resource, part * cost.shared[name])
        yield world.timeout(part * max(0.0, cost.hand - sum(cost.shared.values())))

    def hand(number: int) -> Iterator[Any]:
        yield world.timeout(float(draw.uniform(0, np.mean(durations))))
        while True:
            yield from hold("brain", brain, cost.ask)
            yield from record(0.5)
            seconds = float(draw.choice(durations))
            since[number] = world.now
            yield world.timeout(seconds)
            since[number] = 0.0
            trained[0] += seconds
            yield from record(0.5)
            yield from hold("brain", brain, cost.keep)

    def so_far() -> float:
        return trained[0] + sum(world.now - began for began in since if began)

    for number in range(hands):
        world.process(hand(number))
    mean = float(np.mean(durations)) + cost.hand + cost.ask + cost.keep
    saturated = max([hands * (cost.ask + cost.keep), *(hands * each for each in cost.shared.values())])
    turn = max(mean, saturated)
    world.run(until=2 * turn)
    before, busy_before, began = so_far(), dict(busy), world.now
    world.run(until=(2 + max(rounds, 100 // hands)) * turn)
    elapsed = world.now - began
    used = {name: (seconds - busy_before.get(name, 0.0)) / elapsed for name, seconds in busy.items()}
    return Outcome(hands=hands, efficiency=(so_far() - before) / elapsed / hands, busy=used)


def most_hands(cost: Cost, durations: Sequence[float], *, wanted: float = WANTED, most: int = MOST) -> int | None:
    """Find the largest number of hands with the wanted efficiency; None if not even one has it."""
    low, high = 0, 1
    while high < most and simulate(high, cost, durations).efficiency >= wanted:
        low, high = high, 2 * high
    high = min(high, most)
    while low < high:
        middle = (low + high + 1) // 2
        if simulate(middle, cost, durations).efficiency >= wanted:
            low = middle
        else:
            high = middle - 1
    return low or None


def table(costs: Mapping[str, Cost], durations: Mapping[str, Sequence[float]]) -> tuple[str, dict[str, list[Outcome]]]:
    """Simulate everything: a Markdown table of efficiencies, and the outcomes by row."""
    head = ["stores", "a trial trains", *map(str, HANDS), f"hands at {WANTED:.0%}", "first limit"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    found = {}
    for store, cost in costs.items():
        for name, seconds in durations.items():
            outcomes = [simulate(hands, cost, seconds) for hands in HANDS]
            most = most_hands(cost, seconds)
            cells = [store, name, *(f"{each.efficiency:.0%}" for each in outcomes)]
            cells += ["none" if most is None else f"{most} or more" if most == MOST else str(most), outcomes[-1].limit]
            lines.append("| " + " | ".join(cells) + " |")
            found[f"{store}, {name}"] = outcomes
    return "\n".join(lines), found


def draw_curves(found: Mapping[str, Sequence[Outcome]], path: Path) -> None:
    """Draw efficiency against hands, a line a row."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "scale"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    stores = list(dict.fromkeys(name.partition(", ")[0] for name in found))
    for name, outcomes in found.items():
        style = ("-", "--", ":", "-.")[stores.index(name.partition(", ")[0]) % 4]
        axes.plot([o.hands for o in outcomes], [o.efficiency for o in outcomes], style, marker=".", label=name)
    axes.axhline(WANTED, color="grey", linewidth=0.8)
    axes.set(xscale="log", xticks=HANDS, ylim=(0, 1.02), xlabel="hands", ylabel="share of the hands' time that trains")
    axes.set_xticklabels(map(str, HANDS))
    axes.minorticks_off()
    axes.legend(fontsize=7, loc="lower left")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def page(
    costs: Mapping[str, Cost],
    parts: Mapping[str, Mapping[str, float]],
    text: str,
    recorded: Sequence[float],
    budget: str,
) -> str:
    """Write what was measured and simulated, with versions and machine."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("mlflow", "optuna", "sqlalchemy", "simpy", "torch"))
    measured = ["| stores | part of a trial | ms |", "|---|---|---|"]
    for store, cost in costs.items():
        measured += [f"| {store} | {name} | {seconds * 1e3:.0f} |" for name, seconds in parts[store].items()]
        measured += [f"| {store} | {name} at work for it | {s * 1e3:.0f} |" for name, s in cost.shared.items()]
    return "\n".join(
        [
            "# How many hands one brain keeps busy",
            "",
            "Written by `python -m benchmarks.scale`. Efficiency is the share of the hands' time that is training, "
            f"simulated for a study of {LARGE_STUDY} trials that never ends. The trials' durations are those of "
            f"{len(recorded)} trials of {budget} parameters, {min(recorded):.1f} to {max(recorded):.1f} s and "
            f"{np.mean(recorded):.1f} s in the mean, and the same stretched to other means.",
            "",
            text,
            "",
            "![efficiency against hands](scale.svg)",
            "",
            "Measured, training left out: seconds of processors, our own process's (the median) and the servers' for "
            "it; SQLite is at work while a file is locked (transactions of a trial, times the median by the clock). "
            "Waiting for a disk or a network comes on top:",
            "",
            *measured,
            "",
            f"{date.today()}, Python {sys.version.split()[0]}, {libraries}, {os.cpu_count()} cores "
            f"{platform.machine()}, load {os.getloadavg()[0]:.1f}; brain, hand and stores on this one machine.",
            "",
        ]
    )


@click.command()
@click.option("--trials", default=20, show_default=True, help="Trials that are measured on each store, twice.")
@click.option("--recorded", default=24, show_default=True, help="Trials of the small study.")
@click.option("--budget", default="50K", show_default=True, help="Parameters of its models.")
@click.option("--out", default="docs", show_default=True, help="Directory of scale.md and scale.svg.")
@click.option("--sqlite-only", is_flag=True, help="Without the servers.")
def main(trials: int, recorded: int, budget: str, out: str, sqlite_only: bool) -> None:
    """Measure, simulate, and write the page."""
    import torch

    torch.set_num_threads(1)
    from search.tracking.stores import resolve_stores

    target = Path(out).absolute()
    costs, parts = {}, {}
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        own = small_study(recorded, budget)
        with no_training():
            costs["SQLite"], parts["SQLite"] = measure(resolve_stores(), trials, {})
            if not sqlite_only:
                with servers() as (stores, pids):
                    cost, parts["servers"] = measure(stores, trials, pids)
                costs["servers"] = replace(cost, places={"PostgreSQL": os.cpu_count() or 1})
        os.chdir("/")
    shape = np.array(own) / np.mean(own)
    durations = {f"{np.mean(own):.1f} s": own, **{name: list(shape * mean) for name, mean in MEANS}}
    click.echo(json.dumps({"seconds": own, "parts": parts, **{name: asdict(cost) for name, cost in costs.items()}}))
    text, found = table(costs, durations)
    target.mkdir(exist_ok=True)
    draw_curves(found, target / "scale.svg")
    (target / "scale.md").write_text(page(costs, parts, text, own, budget), encoding="utf-8")
    click.echo(text)


if __name__ == "__main__":
    main()
