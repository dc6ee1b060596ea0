"""Two years or folds, and what pruning between folds saves: simulated studies over a table of really trained specs.

    python -m benchmarks.folds TABLE.npz [TABLE.npz …] [--trials 50] [--studies 500]

Tables are those of ``benchmarks.make_fold_table``.  A study draws specs of the table at random.  The old way ranks so
many trials by the loss of the two validation years at the best epoch; folds rank as many as take the same processor
seconds by the loss pooled over the last years before the test.  What either selects is judged on years that neither
looked at: the mean loss there of models of the years before each.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import optuna
import pandas as pd
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from search.study.pruner import make_pruner
from search.trial.training import quarter_losses

LIBRARIES = ("numpy", "optuna", "scipy", "torch")
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FoldTable:
    """What each spec of a table cost and said.

    Parameters
    ----------
    stopped_loss_T, stopped_seconds_T : ndarray of shape (specs,)
        Of a trial on the two validation years.
    p_TD : ndarray of shape (specs, days)
        Probabilities of the days of all years.
    seconds_TF : ndarray of shape (specs, folds)
        Of the training of each year.
    days : DataFrame
        Date and outcome of the days.
    years_F, base_rates_F : ndarray of shape (folds,)
        Years, and the base rate before each.
    validation_year : int
        First of the two.
    """

    stopped_loss_T: Array
    stopped_seconds_T: Array
    p_TD: Array
    seconds_TF: Array
    days: pd.DataFrame
    years_F: npt.NDArray[np.int64]
    base_rates_F: Array
    validation_year: int

    @classmethod
    def read(cls, paths: Sequence[Path]) -> FoldTable:
        """Join the parts of a table."""
        parts = [np.load(path, allow_pickle=False) for path in paths]
        first = parts[0]
        return cls(
            *(np.concatenate([part[name] for part in parts]) for name in ("stopped_loss", "stopped_seconds", "p")),
            np.concatenate([part["fold_seconds"] for part in parts]),
            pd.DataFrame({"date": pd.to_datetime(first["dates"]), "y": first["y"]}),
            first["years"],
            first["base_rates"],
            int(str(first["validation_start"])[:4]),
        )

    @property
    def loss_TD(self) -> Array:
        """Log loss of each spec and day."""
        y_D = self.days["y"].to_numpy()
        return -np.log(np.where(y_D > 0.5, self.p_TD, 1 - self.p_TD))

    def mean_loss(self, first: int, last: int) -> Array:
        """Mean loss of each spec over the days of these years."""
        year_D = self.days["date"].dt.year
        return self.loss_TD[:, ((year_D >= first) & (year_D <= last)).to_numpy()].mean(axis=1)

    def quarters(self, spec: int, fold: int) -> dict[int, float]:
        """What a trial of this spec reports after this fold."""
        own = (self.days["date"].dt.year == self.years_F[fold]).to_numpy()
        return quarter_losses(self.days[own].assign(p=self.p_TD[spec, own]), float(self.base_rates_F[fold]))


def equal_cost(table: FoldTable, *, trials: int, folds: int, studies: int, seed: int = 0) -> dict[str, Array]:
    """Loss on unseen years of what is selected either way, and how many trials each had."""
    rng, last = np.random.default_rng(seed), table.validation_year + 1
    truth = table.mean_loss(int(table.years_F[0]), last - folds)
    pooled, seconds = table.mean_loss(last - folds + 1, last), table.seconds_TF[:, -folds:].sum(axis=1)
    found: dict[str, list[float]] = {"two years": [], "folds": [], "folds, as many trials": [], "trials by folds": []}
    for _ in range(studies):
        drawn = rng.choice(len(truth), size=min(trials, len(truth)), replace=False)
        budget = table.stopped_seconds_T[drawn].sum()
        fewer = drawn[: max(1, int((seconds[drawn].cumsum() <= budget).sum()))]
        found["two years"].append(truth[drawn[table.stopped_loss_T[drawn].argmin()]])
        found["folds"].append(truth[fewer[pooled[fewer].argmin()]])
        found["folds, as many trials"].append(truth[drawn[pooled[drawn].argmin()]])
        found["trials by folds"].append(len(fewer))
    return {name: np.array(values) for name, values in found.items()}


def prune_study(
    table: FoldTable, drawn: Sequence[int], folds: int, forced: int, reports: dict[tuple[int, int], dict[int, float]]
) -> tuple[int, float]:
    """Work off one study: which spec it selects, and the share of the seconds that was trained."""
    study = optuna.create_study(pruner=make_pruner("wilcoxon"))
    first, last = len(table.years_F) - folds, table.validation_year + 1
    pooled, spent = table.mean_loss(last - folds + 1, last), 0.0
    for number, spec in enumerate(drawn):
        trial, pruned = study.ask({"x": FloatDistribution(0, 1)}), False
        for fold in range(first, len(table.years_F)):
            spent += table.seconds_TF[spec, fold]
            for quarter, loss in reports[spec, fold].items():
                trial.report(loss, quarter)
            if fold + 1 < len(table.years_F) and number >= forced and trial.should_prune():
                pruned = True
                break
        if pruned:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, pooled[spec])
    return drawn[study.best_trial.number], spent / table.seconds_TF[drawn, first:].sum()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both comparisons."""
    parser = argparse.ArgumentParser(description="Two years or folds, and pruning between folds.")
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--folds", type=int, default=8)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--pruned-studies", type=int, default=100)
    options = parser.parse_args(arguments)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    table = FoldTable.read(options.tables)
    last, folds = table.validation_year + 1, options.folds
    truth = table.mean_loss(int(table.years_F[0]), last - folds)
    pooled = table.mean_loss(last - folds + 1, last)
    machine = f"{platform.system()} {platform.machine()} · {os.cpu_count()} cores"
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    print(f"{date.today()} · Python {platform.python_version()} · {machine} · {libraries}")
    print(
        f"{len(truth)} specs; judged on {table.years_F[0]} to {last - folds}: best {truth.min():.4f}, median "
        f"{np.median(truth):.4f}, worst {truth.max():.4f}; rank correlation with that of the two years "
        f"{_ranks(table.stopped_loss_T, truth):.2f}, of {folds} folds {_ranks(pooled, truth):.2f}; seconds of a trial "
        f"{table.stopped_seconds_T.mean():.1f}, of {folds} folds "
        f"{table.seconds_TF[:, -folds:].sum(axis=1).mean():.1f}"
    )
    found = equal_cost(table, trials=options.trials, folds=folds, studies=options.studies)
    print(
        f"\n| {options.studies} studies of {options.trials} trials | above the best, mean in thousandths | quartiles |"
    )
    print("|---|---|---|")
    for name in ("two years", "folds", "folds, as many trials"):
        above = 1e3 * (found[name] - truth.min())
        print(f"| {name} | {above.mean():.2f} | {np.quantile(above, 0.25):.2f} to {np.quantile(above, 0.75):.2f} |")
    wins = np.mean(found["folds"] < found["two years"]), np.mean(found["folds"] > found["two years"])
    print(
        f"\nat equal seconds folds have {found['trials by folds'].mean():.1f} trials; better in {wins[0]:.0%} of "
        f"studies, worse in {wins[1]:.0%}"
    )
    rng = np.random.default_rng(1)
    first = len(table.years_F) - folds
    reports = {(t, f): table.quarters(t, f) for t in range(len(truth)) for f in range(first, len(table.years_F))}
    shares, above, kept = [], [], []
    for _ in range(options.pruned_studies):
        drawn = list(map(int, rng.choice(len(truth), size=min(options.trials, len(truth)), replace=False)))
        selected, share = prune_study(table, drawn, folds, 6, reports)
        shares.append(share)
        above.append(truth[selected] - truth[drawn[pooled[drawn].argmin()]])
        kept.append(selected == drawn[pooled[drawn].argmin()])
    print(
        f"\nWilcoxon between {folds} folds, {options.pruned_studies} studies: {1 - np.mean(shares):.0%} of the seconds "
        f"saved; the best by folds selected in {np.mean(kept):.0%}, else another: on the judged years "
        f"{1e3 * np.mean(above):+.2f} thousandths in the mean over all studies"
    )
    return 0


def _ranks(a: Array, b: Array) -> float:
    return float(pd.Series(a).corr(pd.Series(b), method="spearman"))


if __name__ == "__main__":
    raise SystemExit(main())
