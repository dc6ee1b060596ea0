"""How often intervals hold the truth where outcomes and forecasts persist: ``python -m benchmarks.coverage``.

The log-odds of every day's outcome follow an autoregression of the first order. Two models know them with errors of
their own that persist as long, a third knows nothing of them and persists alike. Every draw has intervals by cosines
and Student's t (the ones in use) and by the stationary bootstrap (those of before), on the same days.
"""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version

import click
import numpy as np
from scipy.signal import lfilter
from scipy.special import expit

from search.evidence.bootstrap import (
    Interval,
    block_length,
    day_counts,
    draw_days,
    metric_intervals,
    percentile_interval,
    resampled_days,
)
from search.evidence.difference import paired_difference
from search.evidence.long_run import score_intervals
from search.evidence.scores import Array, daily_scores, score, weighted_scores

BASE_LOGIT = -1.3
ABOUT_DAYS, ABOUT_DRAWS = 50_000, 40
BURN = 500
SHOWN = ("loss", "roc_auc")
NAMES = {"loss": "log loss", "roc_auc": "AUC", "noise": "AUC of noise"}


def persistent(rng: np.random.Generator, n_days: int, memory: float) -> Array:
    """Draw an autoregression of the first order, of variance one."""
    shocks = rng.standard_normal(n_days + BURN) * np.sqrt(1 - memory**2)
    found: Array = lfilter([1], [1, -memory], shocks)[BURN:]
    return found


def draw(rng: np.random.Generator, n_days: int, memory: float) -> tuple[Array, Array, Array, Array]:
    """Draw outcomes, a better model, a worse one, and one that knows nothing."""
    truth, own, others, noise = (persistent(rng, n_days, memory) for _ in range(4))
    y = (rng.random(n_days) < expit(BASE_LOGIT + truth)) * 1.0
    better, worse = 0.8 * (truth + 0.6 * own), 0.6 * (truth + 0.9 * others)
    return y, expit(BASE_LOGIT + better), expit(BASE_LOGIT + worse), expit(BASE_LOGIT + noise)


def expected(memory: float, *, n_days: int = ABOUT_DAYS, n_draws: int = ABOUT_DRAWS) -> dict[str, float]:
    """What the scores and their differences are on very many days."""
    rng, sums = np.random.default_rng(1), defaultdict(float)
    for _ in range(n_draws):
        y, better, worse, _ = draw(rng, n_days, memory)
        for metric in SHOWN:
            first, second = score(metric, y, better), score(metric, y, worse)
            sums[metric] += first / n_draws
            sums[f"{metric} apart"] += (first - second) / n_draws
    return {**sums, "noise": 0.5}


def by_cosines(y: Array, better: Array, worse: Array, noise: Array) -> Iterator[tuple[str, Interval]]:
    """Give the intervals in use."""
    found = score_intervals(y, better)
    for metric in SHOWN:
        yield metric, found[metric]
        apart = paired_difference(y, better, worse, horizon=1, metric=metric)
        yield f"{metric} apart", Interval(value=apart.value, low=apart.low, high=apart.high)
    yield "noise", score_intervals(y, noise)["roc_auc"]


def by_bootstrap(
    y: Array, better: Array, worse: Array, noise: Array, *, n_resamples: int
) -> Iterator[tuple[str, Interval]]:
    """Give the intervals of before."""
    _, days = draw_days(y, 1, n_resamples=n_resamples)
    found = metric_intervals(y, better, days)
    for metric in SHOWN:
        yield metric, found[metric]
        block = block_length(daily_scores(metric, y, better) - daily_scores(metric, y, worse), 1)
        counts = day_counts(resampled_days(len(y), block=block, n_resamples=n_resamples))
        drawn = weighted_scores(metric, y, better, counts) - weighted_scores(metric, y, worse, counts)
        yield f"{metric} apart", percentile_interval(score(metric, y, better) - score(metric, y, worse), drawn)
    yield "noise", metric_intervals(y, noise, days)["roc_auc"]


def coverage(
    n_days: int, memory: float, truth: dict[str, float], *, simulations: int, n_resamples: int
) -> dict[str, dict[str, tuple[float, float]]]:
    """Share of intervals that hold the truth and their mean width, by figure and way."""
    rng = np.random.default_rng(2)
    held: dict[str, dict[str, list[tuple[bool, float]]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(simulations):
        drawn = draw(rng, n_days, memory)
        ways = {"cosines": by_cosines(*drawn)}
        if n_resamples:
            ways["bootstrap"] = by_bootstrap(*drawn, n_resamples=n_resamples)
        for way, intervals in ways.items():
            for figure, each in intervals:
                held[figure][way].append((each.low <= truth[figure] <= each.high, each.high - each.low))
    return {
        figure: {way: (float(means[0]), float(means[1])) for way, each in ways.items() for means in [np.mean(each, 0)]}
        for figure, ways in held.items()
    }


def named(figure: str) -> str:
    """Name a figure in words."""
    metric = figure.removesuffix(" apart")
    return f"difference in {NAMES[metric]}" if metric != figure else NAMES[metric]


@click.command()
@click.option("--days", default="502,2000", show_default=True, help="Numbers of days.")
@click.option("--memories", default="0.9,0.97,0.98", show_default=True, help="What stays of a log-odds the next day.")
@click.option("--simulations", default=400, show_default=True, help="Draws of each.")
@click.option("--resamples", default=500, show_default=True, help="Of the bootstrap; 0 leaves it out.")
def main(days: str, memories: str, simulations: int, resamples: int) -> None:
    """Print a table."""
    click.echo(f"{simulations} simulations, {platform.machine()}, numpy {version('numpy')}, arch {version('arch')}")
    click.echo("| memory | days | figure | bootstrap, width | cosines, width |\n|---|---|---|---|---|")
    for memory in map(float, memories.split(",")):
        truth = expected(memory)
        for n_days in map(int, days.split(",")):
            found = coverage(n_days, memory, truth, simulations=simulations, n_resamples=resamples)
            for figure, ways in found.items():
                cells = (
                    f"{100 * ways[way][0]:.0f} %, {ways[way][1]:.3f}" if way in ways else "–"
                    for way in ("bootstrap", "cosines")
                )
                click.echo(f"| {memory:g} | {n_days:,} | {named(figure)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
