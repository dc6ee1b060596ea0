"""What search and record cost a trial, without training: ``python -m benchmarks.overhead``.

Real stores (SQLite in a temporary directory), the real runner, the real record and data; only the steps of
an epoch are left out. A trial's cost is split into a part a trial and a part an epoch by two epoch counts.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path

import click

BLOCK = 100
EPOCHS = 6


@contextmanager
def no_training():
    """Let every epoch return at once what the first one of its model would."""
    from model.metrics import evaluate
    from model.trainer import EpochResult, Trainer

    def next_epoch(trainer):
        y = trainer.windows.outcomes(trainer.windows.rows.validation)
        validation = getattr(trainer, "_fixed", None) or evaluate(y, y * 0 + y.mean())
        trainer._fixed = validation
        trainer.epoch += 1
        trainer.best_epoch, trainer.best_loss = trainer.epoch, validation.loss
        return EpochResult(
            epoch=trainer.epoch,
            train_loss=validation.loss,
            validation=validation,
            learning_rate=1e-3,
            samples_per_second=1.0,
            is_best=True,
        )

    original = Trainer._next_epoch
    Trainer._next_epoch = next_epoch
    try:
        yield
    finally:
        Trainer._next_epoch = original


def run_trials(stores, plan, dataset, root, trials):
    """Seconds of each of so many trials of a new study."""
    from search.study import open_or_create_study
    from search.trial import TrialRunner

    study = open_or_create_study(stores, plan, trials=trials, data_root=root, pruner="none")
    runner = TrialRunner(study, dataset, device="cpu", report=lambda event: None, should_stop=lambda: False)
    seconds = []
    for _ in range(trials):
        started = time.perf_counter()
        runner.run_next()
        seconds.append(time.perf_counter() - started)
    assert len(study.finished()) == trials
    return seconds


@click.command()
@click.option("--trials", default=2000, show_default=True, help="Trials of the long study.")
@click.option(
    "--block", default=BLOCK, show_default=True, help="Trials of the first and the last block, and of the split."
)
def main(trials: int, block: int) -> None:
    """Print the overhead a trial and an epoch, and how it grows with the study."""
    import torch

    torch.set_num_threads(1)
    from search.plan import make_plan
    from search.stores import resolve_stores

    with tempfile.TemporaryDirectory() as directory, no_training():
        os.chdir(directory)
        root = Path(directory) / "data"
        options = {
            "horizon": 1,
            "threshold": 0.01,
            "source": "sample",
            "ticker": "",
            "train_tickers": "",
            "tier": "r25",
        }
        plan, dataset = make_plan(
            **options,
            budget="5K",
            split="auto",
            seed=0,
            max_epochs=1,
            patience=1,
            offset="none",
            study="one",
            root=root,
        )
        stores = resolve_stores()
        one = run_trials(stores, plan, dataset, root, block)
        many = run_trials(stores, replace(plan, study="many", max_epochs=EPOCHS), dataset, root, block)
        epoch = (statistics.median(many) - statistics.median(one)) / (EPOCHS - 1)
        click.echo(f"a trial without its epochs: {(statistics.median(one) - epoch) * 1e3:6.0f} ms (median of {block})")
        click.echo(f"an epoch:                   {epoch * 1e3:6.1f} ms")
        long = run_trials(stores, replace(plan, study="long"), dataset, root, trials)
        for start in range(0, trials, max(block, trials // 10)):
            part = long[start : start + block]
            click.echo(f"trials {start + 1:>5} to {start + len(part):>5}: {statistics.fmean(part) * 1e3:6.0f} ms each")
        first, last = statistics.fmean(long[:block]), statistics.fmean(long[-block:])
        click.echo(f"last {block} of {trials} against the first {block}: {last / first:.2f}")
        os.chdir("/")
    libraries = ", ".join(f"{name} {version(name)}" for name in ("mlflow", "optuna", "torch", "sqlalchemy"))
    click.echo(
        f"{date.today()}, Python {sys.version.split()[0]}, {libraries}, {os.cpu_count()} cores, {platform.machine()}"
    )


if __name__ == "__main__":
    main()
