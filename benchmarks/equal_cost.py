"""Two years or folds at equal cost, by real studies: which selected spec forecasts years better that selected nothing?

    python -m benchmarks.equal_cost --source 'csv:DIRECTORY?adjusted=yes' --ticker SPY --seeds 3 --out DIRECTORY

A study the old way (two validation years, early stopping) has so many trials; a study by folds (fixed epochs, pruned
between folds) as many as fit into the same processor seconds, then as many as the old way.  What each selects is walked
forward over the last years before the usual test, which lie behind the data of either study.  Beside them stands what
a trial drawn at random of the old way's study gives.  Seconds are the processor's, record and schedule included; what
is there already is gone on with.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from optuna.trial import FrozenTrial

from model.spec.spec import Spec
from model.windows import make_windows
from pipeline.calendars import calendar_of
from pipeline.splits.splits import Split, auto_split
from search.evidence.difference import paired_difference
from search.folds.folds import year_folds
from search.folds.forecast import Job, SpecForecaster
from search.study.make_plan import make_plan
from search.study.next_trial import trial_spec
from search.study.reconcile import reconcile
from search.study.request import HpoRequest
from search.study.study import Study, open_or_create_study
from search.tracking.stores import resolve_stores
from search.trial.runner import TrialRunner

LIBRARIES = ("mlflow", "numpy", "optuna", "torch")
VALIDATION_YEARS = 2
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A real study of one way and seed, and what its trials cost."""

    study: Study
    runner: TrialRunner
    seconds: Path
    events: list[dict[str, Any]]

    @classmethod
    def open(cls, asked: dict[str, Any], out: Path, *, trials: int) -> Arm:
        """Continue the study, or make it."""
        request, root = HpoRequest(**asked), out / "data"
        plan, dataset = make_plan(request, root=root)
        stores = resolve_stores(f"sqlite:///{out / 'mlflow.db'}", f"sqlite:///{out / 'optuna.db'}")
        study = open_or_create_study(stores, plan, trials=trials, data_root=root, pruner=request.pruner_name)
        reconcile(study)
        pooled = study.load_data()[1]
        events: list[dict[str, Any]] = []
        held: dict[str, Any] = {"report": events.append, "should_stop": lambda: False}
        runner = TrialRunner(study, dataset, pooled=pooled, device="cpu", **held)
        return cls(study=study, runner=runner, seconds=out / f"{plan.study}.seconds.jsonl", events=events)

    @property
    def costs(self) -> Array:
        """Seconds of each trial, in the order in which they ran."""
        return np.array([each["seconds"] for each in read_lines(self.seconds)])

    def run(self, *, until: int, seconds: float = np.inf) -> None:
        """Run trials until so many are finished, or so many seconds spent."""
        while len(self.study.finished()) < until and self.costs.sum() < seconds:
            self.events.clear()
            began = time.process_time()
            self.runner.run_next()
            took, last = time.process_time() - began, self.events[-1]
            add_line(self.seconds, {"number": last["number"], "event": last["event"], "seconds": took})

    def within(self, seconds: float, most: int) -> list[FrozenTrial]:
        """Trials that were finished by then, at most so many; the first one in any case."""
        ran = [each["number"] for each in read_lines(self.seconds)]
        numbers, finished = set(np.array(ran)[self.costs.cumsum() <= seconds]), self.study.finished()
        return [each for each in finished if each.number in numbers][:most] or finished[:1]

    def best(self, trials: Iterable[FrozenTrial]) -> Spec:
        """Spec of the lowest loss."""
        return self.spec(min(trials, key=lambda each: (each.value or 0.0, each.number)))

    def spec(self, trial: FrozenTrial) -> Spec:
        """What a trial trained."""
        return trial_spec(self.study, self.runner.space, trial.params)


@dataclass(frozen=True)
class Judge:
    """Walks specs forward over years that no study knows."""

    arm: Arm
    first_year: int
    out: Path

    @cached_property
    def split(self) -> Split:
        """The usual one, whose test stays sealed."""
        dataset = self.arm.runner.dataset
        return auto_split(dataset.dates, calendar_of(dataset.ticker))

    def forecasts(self, spec: Spec, seed: int) -> Array:
        """Outcome and probability of every day."""
        later = replace(spec, split=self.split, n_folds=0, n_seeds=1, seed=seed)
        own, pooled = self.arm.study.load_data()
        ahead, context = later.architecture.ahead, later.architecture.context_length
        windows = make_windows(own, later.target, self.split, context, pooled=pooled, horizons=ahead)
        horizon, last = later.target.horizon, self.split.test_start.year - 1
        folds = year_folds(
            windows, (own, *pooled), self.split, horizon=horizon, first_year=self.first_year, last_year=last
        )
        forecaster = SpecForecaster(later, windows, folds)
        days = []
        for fold in folds:
            n_epochs = later.training.max_epochs
            if later.training.patience:
                n_epochs = forecaster.run(Job(year=fold.year, seed=seed)).n_epochs
            found = forecaster.run(Job(year=fold.year, seed=seed, n_epochs=n_epochs))
            days.append(np.array([windows.outcomes(fold.test), found.p]))
        return np.concatenate(days, axis=1)

    def days(self, spec: Spec, seed: int) -> Array:
        """As :meth:`forecasts`, once worked out."""
        path = self.out / "judged" / f"{spec.hash[:16]}-seed{seed}.npy"
        with suppress(OSError):
            held: Array = np.load(path)
            return held
        found = self.forecasts(spec, seed)
        path.parent.mkdir(exist_ok=True)
        np.save(path, found)
        return found

    def loss(self, spec: Spec, seed: int) -> float:
        """Mean log loss of the years."""
        return log_loss(self.days(spec, seed))


def log_loss(days: Array) -> float:
    """Mean of outcomes and probabilities."""
    y_D, p_D = days
    return float(-np.log(np.where(y_D > 0.5, p_D, 1 - p_D)).mean())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read what was measured."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def add_line(path: Path, line: dict[str, Any]) -> None:
    """Keep what was measured."""
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


@dataclass(frozen=True)
class Comparison:
    """The studies of one seed, both ways."""

    options: argparse.Namespace
    seed: int

    @cached_property
    def asked(self) -> dict[str, Any]:
        """What both ways ask of a study: they end where the judged years begin."""
        given = self.options
        asked = {name: getattr(given, name) for name in ("budget", "source", "ticker", "offset", "tier", "head")}
        asked |= {"train_tickers": tuple(given.train.split(",")), "seed": self.seed}
        asked |= {"n_layers": tuple(map(int, given.layers.split(","))) if given.layers else ()}
        asked |= {"max_epochs": given.epochs}
        _, dataset = make_plan(HpoRequest(**asked), root=given.out / "data")
        last = auto_split(dataset.dates, calendar_of(dataset.ticker)).validation_end
        ends = (date(last.year - given.judged - n, 12, 31) for n in (VALIDATION_YEARS, 0))
        return asked | {"split": "/".join(map(str, (*ends, last)))}

    def arm(self, folds: int) -> Arm:
        """Open the study of one way."""
        asked = dict(self.asked)
        if folds:
            first, second, last = map(date.fromisoformat, asked["split"].split("/"))
            asked |= {
                "folds": folds,
                "split": "/".join(map(str, (first.replace(year=second.year - folds), second, last))),
            }
        name = f"{f'folds{folds}' if folds else 'years2'}-offset_{self.options.offset}-seed{self.seed}"
        return Arm.open(asked | {"study": name}, self.options.out, trials=self.options.trials)

    @cached_property
    def old(self) -> Arm:
        """The old way's study."""
        return self.arm(0)

    @cached_property
    def judge(self) -> Judge:
        """Of both ways."""
        last = date.fromisoformat(self.asked["split"].split("/")[1])
        return Judge(self.old, last.year + 1, self.options.out)

    def run(self) -> dict[str, Any]:
        """Run what is missing of both ways, and judge what they select."""
        trials, judge = self.options.trials, self.judge
        self.old.run(until=trials)
        budget = float(self.old.costs.sum())
        finished = self.old.study.finished()[:trials]
        chosen = self.old.best(finished)
        found: dict[str, Any] = {"seed": self.seed, "seconds": budget, "trials": len(finished)}
        found |= {"two years": judge.loss(chosen, self.seed), "label": chosen.architecture.label}
        for folds in self.options.folds:
            arm = self.arm(folds)
            arm.run(until=trials, seconds=budget)
            within = arm.within(budget, trials)
            if self.options.as_many:
                arm.run(until=trials)
            found |= self._by_folds(arm, f"{folds} folds", chosen, within)
        rng = np.random.default_rng(self.seed)
        picked = rng.choice(len(finished), size=min(self.options.picks, len(finished)), replace=False)
        random = [judge.loss(self.old.spec(finished[each]), self.seed) for each in sorted(picked)]
        return found | {"random": float(np.mean(random)) if random else np.nan, "random_each": random}

    def _by_folds(self, arm: Arm, name: str, old: Spec, within: Sequence[FrozenTrial]) -> dict[str, Any]:
        found: dict[str, Any] = {f"{name}, trials": len(within)}
        ways = {name: within}
        if self.options.as_many:
            ways[f"{name}, as many trials"] = arm.study.finished()[: self.options.trials]
            found[f"{name}, as many trials, seconds"] = float(arm.costs.sum())
        for way, trials in ways.items():
            spec = arm.best(trials)
            found[way], found[f"{way}, label"] = self.judge.loss(spec, self.seed), spec.architecture.label
            y_D, p_D = self.judge.days(spec, self.seed)
            apart = paired_difference(y_D, p_D, self.judge.days(old, self.seed)[1], horizon=1)
            found[f"{way}, less two years"] = [apart.value, apart.low, apart.high]
        return found


def table(found: Sequence[dict[str, Any]], folds: Sequence[int]) -> str:
    """Markdown of the judged losses, a column a seed."""
    ways = ["two years"]
    for each in folds:
        ways += [f"{each} folds", f"{each} folds, as many trials"]
    lines = ["| log loss of unseen years | " + " | ".join(f"seed {each['seed']}" for each in found) + " | mean |"]
    lines.append("|---" * (len(found) + 2) + "|")
    for way in (*ways, "random"):
        values = [each.get(way, np.nan) for each in found]
        if np.isfinite(values).any():
            lines.append(f"| {way} | " + " | ".join(f"{value:.4f}" for value in (*values, np.mean(values))) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and print a table."""
    parser = argparse.ArgumentParser(description="Two years or folds at equal cost, by real studies.")
    parser.add_argument("--source", default="sample")
    parser.add_argument("--ticker", default="")
    parser.add_argument("--tier", default="auto")
    parser.add_argument("--head", default="auto")
    parser.add_argument("--budget", default="30K")
    parser.add_argument("--layers", default="", help="depths to try; empty is the budget's")
    parser.add_argument("--train", default="none", help="further tickers that are trained on")
    parser.add_argument("--offset", default="auto", help="none lets the Transformer alone learn")
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=6, help="most of a trial, and those of a fold")
    parser.add_argument("--folds", type=lambda text: [int(each) for each in text.split(",")], default=[8])
    parser.add_argument("--judged", type=int, default=8, help="years that are forecast by what was selected")
    parser.add_argument(
        "--picks", type=int, default=0, help="trials drawn at random of the old way that are judged too"
    )
    parser.add_argument("--as-many", action="store_true", help="also give folds as many trials as the old way")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True, help="directory of the studies, which are gone on with")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    options.out = options.out.absolute()
    options.out.mkdir(parents=True, exist_ok=True)
    found = []
    for seed in range(options.seeds):
        found.append(Comparison(options, seed).run())
        print(json.dumps(found[-1]), flush=True)
    machine = f"{platform.system()} {platform.machine()} · {os.cpu_count()} cores"
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    print(f"{date.today()} · Python {platform.python_version()} · {machine} · {libraries}\n")
    print(table(found, options.folds))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
