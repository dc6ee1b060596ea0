"""Train random specs of a small budget both ways, and keep what each says of every day: for ``benchmarks.folds``.

    python -m benchmarks.make_fold_table --source 'csv:DIRECTORY?adjusted=yes' --ticker SPY --out TABLE.npz

Each spec is trained once as a trial of the two validation years (early stopping), and once a year as a fold of each
year that has four whole years before it (a fixed number of epochs).  A table that is there already is gone on with;
several processes make parts of it with ``--part 0/2`` and ``--part 1/2``.  Seconds are the processor's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch

from model.spec.spec import Spec
from model.training.trainer import Trainer, build_model, predict_rows
from model.windows import Windows, make_windows
from pipeline.datasets.dataset import DatasetVersion, load_dataset
from search.folds.folds import YearFold, year_folds
from search.study.make_plan import make_plan
from search.study.plan import Plan
from search.study.request import HpoRequest
from search.study.sampler import TrialSeededSampler


@dataclass(frozen=True, kw_only=True)
class Ways:
    """What a spec is trained on, either way."""

    plan: Plan
    windows: Windows
    dataset: DatasetVersion
    folds: Sequence[YearFold]
    fold_epochs: int


def open_ways(options: argparse.Namespace, root: Path) -> Ways:
    asked: dict[str, Any] = {"budget": options.budget, "source": options.source, "ticker": options.ticker}
    asked |= {"offset": options.offset}
    asked |= {"n_layers": tuple(map(int, options.layers.split(","))), "train_tickers": tuple(options.train.split(","))}
    plan, dataset = make_plan(HpoRequest(**asked), root=root)
    pooled = [load_dataset(root, digest) for digest in plan.data.pooled_digests]
    architecture = plan.grid().architectures[0]
    windows = make_windows(
        dataset, plan.target, plan.split, plan.context_length, pooled=pooled, horizons=architecture.ahead
    )
    horizon, first = plan.target.horizon, options.first or None
    folds = year_folds(windows, (dataset, *pooled), plan.split, horizon=horizon, first_year=first)
    return Ways(plan=plan, windows=windows, dataset=dataset, folds=folds, fold_epochs=options.epochs)


def draw_specs(plan: Plan, n: int, seed: int) -> list[Spec]:
    """Draw specs as a study with a random sampler does."""
    study = optuna.create_study(sampler=TrialSeededSampler(seed, "random"))
    space, specs = plan.space(), dict[str, Spec]()
    while len(specs) < n:
        params = study.ask(space.distributions()).params
        spec = plan.spec(space.decode(params), {name: params[name] for name in space.training})
        specs.setdefault(spec.hash, spec)
    return list(specs.values())


def row(ways: Ways, spec: Spec) -> dict[str, Any]:
    """Train one spec both ways."""
    seen = ways.windows.of_length(spec.architecture.context_length)
    began = time.process_time()
    trainer = Trainer(spec, seen, build_model(spec, seen))
    losses = [result.validation.loss for result in trainer.epochs()]
    stopped = time.process_time() - began
    fixed = replace(spec, training=replace(spec.training, patience=0, max_epochs=ways.fold_epochs))
    p, seconds = [], []
    for fold in ways.folds:
        began = time.process_time()
        on_rows = replace(seen, train_rows=fold.train)
        trainer = Trainer(fixed, on_rows, build_model(fixed, on_rows))
        trainer.train_epochs(ways.fold_epochs)
        p.append(predict_rows(trainer.model, seen, fold.test))
        seconds.append(time.process_time() - began)
    return {
        "stopped_loss": min(losses),
        "stopped_seconds": stopped,
        "p": np.concatenate(p),
        "fold_seconds": np.array(seconds),
        "hash": spec.hash,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Train random specs both ways.")
    parser.add_argument("--source", default="sample")
    parser.add_argument("--ticker", default="")
    parser.add_argument("--budget", default="30K")
    parser.add_argument("--layers", default="1,2,3,4")
    parser.add_argument("--train", default="none", help="further tickers that are trained on")
    parser.add_argument("--offset", default="auto", help="none lets the Transformer alone learn")
    parser.add_argument("--first", type=int, default=0, help="first year that is forecast; 0 is the earliest")
    parser.add_argument("--specs", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=3, help="of a fold")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", default="0/1")
    parser.add_argument("--root", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ways = open_ways(options, options.root.absolute())
    specs = draw_specs(ways.plan, options.specs, options.seed)
    part, of = map(int, options.part.split("/"))
    rows: list[dict[str, Any]] = []
    if options.out.exists():
        held = np.load(options.out, allow_pickle=False)
        rows = [
            {name: held[name][i] for name in ("stopped_loss", "stopped_seconds", "p", "fold_seconds", "hash")}
            for i in range(len(held["hash"]))
        ]
    done = {str(each["hash"]) for each in rows}
    test = np.concatenate([fold.test for fold in ways.folds])
    facts = {
        "dates": ways.dataset.dates[test].to_numpy(),
        "y": ways.windows.outcomes(test),
        "years": np.array([fold.year for fold in ways.folds]),
        "validation_start": np.array(str(ways.plan.split.validation_start)),
        "base_rates": np.array(
            [ways.windows.outcomes(fold.train[fold.train < len(ways.dataset.dates)]).mean() for fold in ways.folds]
        ),
    }
    for spec in specs[part::of]:
        if spec.hash in done:
            continue
        rows.append(row(ways, spec))
        arrays = {name: np.array([each[name] for each in rows]) for name in rows[0]}
        np.savez_compressed(options.out, **facts, **arrays)
        print(
            len(rows),
            spec.architecture.label,
            f"{rows[-1]['stopped_loss']:.4f}",
            f"{rows[-1]['stopped_seconds']:.1f}",
            f"{rows[-1]['fold_seconds'].sum():.1f}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
