"""Random, TPE and Gaussian process on a tabulated response surface: who finds the best trial soonest?

    python -m benchmarks.samplers [--seeds 20] [--trials 50] [--workers 1]

Each sampler drives studies as ``hpo`` does: the same search space of ranks and training parameters, the six extremes
first, draws seeded by trial.  A trial's loss is read from the table, at the nearest learning rate and dropout;
the other training parameters change nothing.  With more workers a trial is told only when so many more were asked for.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from itertools import combinations

import numpy as np
import optuna
import torch

from benchmarks.surface import Surface, surface_grid
from model.spec.spec import Training
from search.space.extremes import extremes
from search.space.ranks import TRAINING, SearchSpace
from search.study.sampler import SAMPLERS, TrialSeededSampler

LIBRARIES = ("optuna", "torch", "numpy", "scipy")
COUNTED = (20, 50)
STARTUP = 10


@dataclass(frozen=True)
class Outcome:
    """One study.

    Parameters
    ----------
    losses : list of float
        By trial.
    repeated, identical : int
        Trials whose cell of the table was tried before; those that have every parameter in common with an earlier one.
    seconds : list of float
        To ask for each trial after the start-up.
    """

    losses: list[float]
    repeated: int
    identical: int
    seconds: list[float]

    def regret(self, after: int, best: float) -> float:
        """How far the best of the first trials is from the best of the table."""
        return min(self.losses[:after]) - best


def run_study(surface: Surface, space: SearchSpace, kind: str, *, seed: int, trials: int, workers: int) -> Outcome:
    """Ask and tell until so many trials are done."""
    study = optuna.create_study(direction="minimize", sampler=TrialSeededSampler(seed, kind))
    defaults = {name: getattr(Training(), name) for name in TRAINING}
    for architecture in extremes(space.grid):
        study.enqueue_trial({**space.encode(architecture), **defaults})
    running: list[optuna.Trial] = []
    cells: list[tuple[float, ...]] = []
    seconds = []
    for number in range(trials):
        started = time.perf_counter()
        running.append(study.ask(space.distributions()))
        if number >= STARTUP + workers:
            seconds.append(time.perf_counter() - started)
        params = running[-1].params
        cells.append(surface.cell(space.decode(params), params["learning_rate"], params["dropout"]))
        while len(running) >= workers:
            trial = running.pop(0)
            study.tell(trial, surface.losses[cells[trial.number]])
    points = {tuple(trial.params.values()) for trial in study.trials}
    return Outcome(
        losses=[surface.losses[cell] for cell in cells],
        repeated=len(cells) - len(set(cells)),
        identical=len(cells) - len(points),
        seconds=seconds,
    )


def row(kind: str, outcomes: Sequence[Outcome], surface: Surface, counted: Sequence[int]) -> str:
    """One sampler's line: regret in thousandths of log loss, quartiles, share of the table that is better."""
    values = np.array(list(surface.losses.values()))
    cells = []
    for after in counted:
        regrets = np.array([outcome.regret(after, values.min()) for outcome in outcomes])
        low, middle, high = 1e3 * np.quantile(regrets, (0.25, 0.5, 0.75))
        better = 100 * np.mean(values < values.min() + np.median(regrets) - 1e-12)
        cells.append(f"{middle:.2f} ({low:.2f} to {high:.2f}) | {better:.1f} %")
    repeated = np.median([outcome.repeated for outcome in outcomes])
    identical = max(outcome.identical for outcome in outcomes)
    asked = np.concatenate([outcome.seconds for outcome in outcomes]) if outcomes[0].seconds else np.array([np.nan])
    return f"| {kind} | {' | '.join(cells)} | {repeated:.0f} | {identical} | {1e3 * np.median(asked):.0f} ms |"


def duel(one: Sequence[Outcome], other: Sequence[Outcome], counted: Sequence[int]) -> str:
    """How often the studies of one sampler are ahead of the other's of the same seed."""
    texts = []
    for after in counted:
        gaps = [min(a.losses[:after]) - min(b.losses[:after]) for a, b in zip(one, other, strict=True)]
        better, worse = sum(gap < 0 for gap in gaps), sum(gap > 0 for gap in gaps)
        texts.append(f"after {after} better in {better}, worse in {worse}, mean {1e3 * np.mean(gaps):+.2f}")
    return "; ".join(texts)


def describe(surface: Surface, space: SearchSpace) -> str:
    """Versions, machine and the table, in two lines."""
    values = np.array(list(surface.losses.values()))
    machine = f"{platform.system()} {platform.machine()} · {os.cpu_count()} cores"
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{date.today()} · Python {platform.python_version()} · {machine} · {libraries}\n"
        f"{len(space.grid.architectures)} architectures, {len(values)} cells, mean of {surface.n_seeds} seed(s): loss "
        f"{values.min():.4f} to {values.max():.4f}, median {np.median(values):.4f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description="Compare samplers on a tabulated response surface.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=COUNTED[-1])
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    surface, space = Surface.read(), SearchSpace(surface_grid())
    print(describe(surface, space))
    print(f"{options.seeds} studies a sampler, {options.workers} worker(s); regret in thousandths of log loss\n")
    counted = [after for after in COUNTED if after <= options.trials] or [options.trials]
    names = [name for after in counted for name in (f"regret after {after}, median (quartiles)", "cells better")]
    print(f"| sampler | {' | '.join(names)} | cells repeated | most identical trials | time to ask |")
    print("|---" * (len(names) + 4) + "|")
    outcomes: dict[str, list[Outcome]] = {}
    for kind in SAMPLERS:
        outcomes[kind] = [
            run_study(surface, space, kind, seed=seed, trials=options.trials, workers=options.workers)
            for seed in range(options.seeds)
        ]
        print(row(kind, outcomes[kind], surface, counted), flush=True)
    print()
    for one, other in combinations(SAMPLERS, 2):
        print(f"{one} against {other}: {duel(outcomes[one], outcomes[other], counted)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
