"""Train every architecture of a small budget, and keep the validation losses as a table.

    python -m benchmarks.make_surface [--seeds 1] [--epochs 3] [--out benchmarks/response_surface.csv]

On ^GSPC of the ``arch`` package's sample data, tier r25, +1 % within one day; the loss is that of the best epoch.
A table that is there already is gone on with.  One process, one thread.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from itertools import product
from pathlib import Path

import pandas as pd
import torch

from benchmarks.surface import BUDGET, COLUMNS, DROPOUTS, KEYS, LEARNING_RATES, N_FEATURES, PATH, surface_grid
from model.spec.architecture import Architecture
from model.spec.spec import Spec
from model.training.trainer import Trainer, build_model
from model.windows import Windows, make_windows
from search.space.grid import AXES
from search.study.make_plan import make_plan
from search.study.plan import Plan
from search.study.request import HpoRequest

LIBRARIES = ("torch", "numpy", "pandas", "TA-Lib", "arch")


def plan_and_windows(root: Path, *, epochs: int) -> tuple[Plan, Windows]:
    """What all trainings share."""
    request = HpoRequest(budget=BUDGET.text, max_epochs=epochs, patience=epochs, tier="r25", init="normal")
    plan, dataset = make_plan(request, root=root)
    assert plan.n_features == N_FEATURES
    return plan, make_windows(dataset, plan.target, plan.split, surface_grid().architectures[0].context_length)


def header(plan: Plan, windows: Windows, *, epochs: int) -> str:
    """Say how the table was made."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    rows = windows.rows
    return (
        f"# Validation log loss of every architecture of {BUDGET.text}, trained by python -m benchmarks.make_surface\n"
        f"# {date.today()}; Python {platform.python_version()}; {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, one thread; {libraries}\n"
        f"# {plan.data.ticker} of source {plan.data.source}, tier {plan.data.tier}, dataset {plan.data.dataset}, "
        f"{plan.target.name}; {len(windows.train_rows)} training and {len(rows.validation)} validation days\n"
        f"# {epochs} epochs, the best one's loss; batch 128, the rest is the default of model.spec.spec.Training\n"
    )


def wanted(n_seeds: int) -> Iterator[tuple[Architecture, float, float, int]]:
    """Every training, one seed after the other."""
    yield from (
        (architecture, rate, dropout, seed)
        for seed, architecture, rate, dropout in product(
            range(n_seeds), surface_grid().architectures, LEARNING_RATES, DROPOUTS
        )
    )


def best_loss(spec: Spec, windows: Windows) -> float:
    """Lowest validation loss of one training."""
    trainer = Trainer(spec, windows, build_model(spec, windows))
    return min(result.validation.loss for result in trainer.epochs())


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is missing in the table."""
    parser = argparse.ArgumentParser(description="Train every architecture of a small budget.")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--limit", type=int, default=None, help="stop after so many trainings")
    parser.add_argument("--out", type=Path, default=PATH)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        plan, windows = plan_and_windows(Path(directory), epochs=options.epochs)
        if not options.out.exists():
            options.out.write_text(header(plan, windows, epochs=options.epochs) + ",".join(COLUMNS) + "\n")
        table = pd.read_csv(options.out, comment="#")
        done = {tuple(map(float, row)) for row in table[[*KEYS, "seed"]].itertuples(index=False)}
        started, trained, left = time.perf_counter(), 0, list(wanted(options.seeds))
        for architecture, rate, dropout, seed in left:
            key = (*(getattr(architecture, axis) for axis in AXES), rate, dropout, seed)
            if tuple(map(float, key)) in done:
                continue
            before = time.process_time()
            training = {"learning_rate": rate, "dropout": dropout}
            spec = replace(plan.spec(architecture, training), seed=seed)
            loss = best_loss(spec, windows)
            with options.out.open("a") as out:
                out.write(",".join(map(str, (*key, f"{loss:.6f}", f"{time.process_time() - before:.2f}"))) + "\n")
            trained += 1
            if trained % 20 == 0:
                minutes = (time.perf_counter() - started) / 60
                print(f"{trained + len(done)} of {len(left)} trainings, {minutes:.1f} minutes", flush=True)
            if trained == options.limit:
                break
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
