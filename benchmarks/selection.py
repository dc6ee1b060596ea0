"""How often a study of fifty trials selects its true best, by the days and the way: ``python -m benchmarks.selection``.

Synthetic studies whose true losses are known. The log-odds of a day's outcome remember a month. Every trial knows them
with an error of its own that persists alike, part of it shared by all trials; the size of the error makes its true
loss, exactly. One training adds the luck of its seed, an error too. Two years are the last of the eight.
"""

from __future__ import annotations

import platform
from collections import defaultdict
from dataclasses import dataclass
from importlib.metadata import version

import click
import numpy as np
from scipy.signal import lfilter
from scipy.special import expit

from search.evidence.difference import paired_difference
from search.evidence.finalists import choose_finalists
from search.evidence.scores import Array, daily_losses, score

BASE_LOGIT, SIGNAL = -1.6, 0.9
"""A fifth of the days are positive, and the true probability has an AUC of 0.72, about what SPY's baselines have."""
MEMORY = 0.97
SHARED = 0.95
"""Part of the variance of trials' errors that all of them share: 502 days show 0.012 to 0.017 between two."""
SEED_ERROR = 0.12
"""Deviation of the log-odds that a seed adds: on 502 days losses of seeds deviate by 0.002 to 0.003."""
LEAST_ERROR = 0.2
YEAR = 251
YEARS = (2, 8)
NEAR = 0.001
FINALISTS, SEEDS = 5, 3
BLOCK = 21
BURN = 300


@dataclass(frozen=True, kw_only=True)
class SyntheticStudy:
    """Outcomes, what each trial says of them by each of its seeds, and the trials' true losses."""

    y_D: Array
    p_SMD: Array
    true_M: Array


def persistent(rng: np.random.Generator, *shape: int) -> Array:
    """Draw autoregressions of the first order, of variance one, along the last axis."""
    shocks = rng.standard_normal((*shape[:-1], shape[-1] + BURN)) * np.sqrt(1 - MEMORY**2)
    found: Array = lfilter([1], [1, -MEMORY], shocks, axis=-1)[..., BURN:]
    return found


def true_losses(error_M: Array) -> Array:
    """Expected log loss of forecasts whose log-odds err by these deviations, by quadrature."""
    at, weight = np.polynomial.hermite_e.hermegauss(41)
    weight = weight / weight.sum()
    truth = BASE_LOGIT + SIGNAL * at[:, None]
    said = truth[..., None] + at[None, :, None] * error_M
    p = expit(truth)[..., None]
    loss = p * np.logaddexp(0, -said) + (1 - p) * np.logaddexp(0, said)
    return np.einsum("i,j,ijm->m", weight, weight, loss)


def errors_of(excess_M: Array) -> Array:
    """Deviations of the log-odds whose true losses are this much above the least error's."""
    grid = np.linspace(LEAST_ERROR, 2.0, 400)
    found: Array = np.interp(excess_M, true_losses(grid) - true_losses(np.array([LEAST_ERROR])), grid)
    return found


def draw_study(rng: np.random.Generator, *, trials: int, spread: float, n_days: int) -> SyntheticStudy:
    """Draw a study whose trials' true losses lie within a spread."""
    error_M = errors_of(spread * rng.random(trials))
    truth_D = BASE_LOGIT + SIGNAL * persistent(rng, n_days)
    errors_MD = np.sqrt(SHARED) * persistent(rng, n_days) + np.sqrt(1 - SHARED) * persistent(rng, trials, n_days)
    luck_SMD = SEED_ERROR * persistent(rng, SEEDS, trials, n_days)
    return SyntheticStudy(
        y_D=(rng.random(n_days) < expit(truth_D)) * 1.0,
        p_SMD=expit(truth_D + error_M[:, None] * errors_MD + luck_SMD),
        true_M=true_losses(np.hypot(error_M, SEED_ERROR)),
    )


def chosen(study: SyntheticStudy, n_days: int) -> dict[str, int]:
    """Row of the trial that each way selects on the last days."""
    y_D, p_SMD = study.y_D[-n_days:], study.p_SMD[..., -n_days:]
    losses_MD = daily_losses(y_D, p_SMD[0])
    rows = choose_finalists(losses_MD, FINALISTS, block=BLOCK)
    again_MD = daily_losses(y_D, p_SMD[:, rows].mean(axis=0))
    return {"lowest loss": int(losses_MD.mean(axis=1).argmin()), "finalists": int(rows[again_MD.mean(axis=1).argmin()])}


def simulate(*, studies: int, trials: int, spread: float, seed: int = 0) -> dict[str, dict[str, float]]:
    """Shares of studies that select the best or one near it, and what the selection costs, by days and way."""
    rng, regrets = np.random.default_rng(seed), defaultdict(list)
    for _ in range(studies):
        study = draw_study(rng, trials=trials, spread=spread, n_days=max(YEARS) * YEAR)
        above_M = study.true_M - study.true_M.min()
        regrets["any trial"] += above_M.tolist()
        for years in YEARS:
            for way, row in chosen(study, years * YEAR).items():
                regrets[f"{years} years, {way}"].append(float(above_M[row]))
    return {
        name: {
            "best": float(np.mean(np.array(each) == 0)),
            "near": float(np.mean(np.array(each) <= NEAR)),
            "regret": float(np.mean(each)),
        }
        for name, each in regrets.items()
    }


def assumed(spread: float, *, n_days: int = YEARS[0] * YEAR, studies: int = 40) -> dict[str, float]:
    """What these studies look like where real ones were measured: medians over pairs of trials."""
    rng, found = np.random.default_rng(1), defaultdict(list)
    for _ in range(studies):
        study = draw_study(rng, trials=2, spread=spread, n_days=n_days)
        y, (one, other), again = study.y_D, study.p_SMD[0], study.p_SMD[1, 0]
        found["base rate"].append(float(y.mean()))
        found["AUC"].append(score("roc_auc", y, one))
        found["detectable"].append(paired_difference(y, one, other, horizon=1).detectable)
        found["seed"].append(abs(score("loss", y, one) - score("loss", y, again)) / np.sqrt(2) / 0.6745)
    return {name: float(np.median(each)) for name, each in found.items()}


@click.command()
@click.option("--studies", default=200, show_default=True, help="Studies of each spread.")
@click.option("--trials", default=50, show_default=True, help="Of a study.")
@click.option("--spreads", default="0.005,0.01,0.02", show_default=True, help="True losses' ranges, in nats.")
def main(studies: int, trials: int, spreads: str) -> None:
    """Print a table."""
    click.echo(f"{studies} studies of {trials} trials, {platform.machine()}, numpy {version('numpy')}")
    for spread in map(float, spreads.split(",")):
        said = ", ".join(f"{name} {value:.4f}" for name, value in assumed(spread).items())
        click.echo(f"spread {spread:g}; on {YEARS[0]} years, medians: {said}")
        click.echo(f"| selected by | the best | within {NEAR:g} of it | above it on average |\n|---|---|---|---|")
        for name, each in simulate(studies=studies, trials=trials, spread=spread).items():
            shares = " | ".join(f"{100 * each[key]:.0f} %" for key in ("best", "near"))
            click.echo(f"| {name} | {shares} | {each['regret']:.4f} |")


if __name__ == "__main__":
    main()
