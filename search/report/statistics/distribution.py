"""What predictive distributions are worth: calibration over thresholds, where outcomes lie in them, their scores.

Legend: R resamples, D days, T thresholds, N bins, S simulations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.stats import norm

from model.network.reach import Reach
from pipeline.splits.splits import MIN_EVALUATION_DAYS
from search.evidence import Interval, has_support, mean_interval
from search.evidence.long_run import difference_cosines
from search.evidence.scores import Array, daily_losses
from search.report.statistics.proportions import share_intervals
from search.trial.distribution import CLIMATOLOGY, CRPS, read_reach

THRESHOLDS = (0.0025, 0.005, 0.01, 0.015, 0.02, 0.03)
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
N_BINS, N_SIMULATED = 10, 1000
BAND = (2.5, 97.5)


@dataclass(frozen=True, kw_only=True)
class HorizonForecasts:
    """The distributions of one horizon on the days whose outcome is known.

    Parameters
    ----------
    horizon : int
        Days ahead.
    table : DataFrame
        Of :func:`search.trial.distribution.distribution_table`, of this horizon and these days.
    reach : Reach
        Their distributions.
    """

    horizon: int
    table: pd.DataFrame
    reach: Reach

    @property
    def came_D(self) -> Array:
        """Log of the price that was reached over the close."""
        return self.table["reach"].to_numpy(dtype=np.float64)

    def probability(self, threshold: float) -> Array:
        """Probability of a rise of so much, a day."""
        at = torch.full((len(self.reach), 1), math.log1p(threshold), dtype=torch.float64)
        return self.reach.survival(at)[:, 0].numpy()

    def reached(self, threshold: float) -> Array:
        """Whether the price rose so much, a day: 0 or 1."""
        return (self.came_D >= math.log1p(threshold)).astype(np.float64)

    @property
    def integral_transform(self) -> Array:
        """Probability that each day's outcome was to stay below what came: uniform for the true distribution."""
        return self.reach.below(torch.tensor(self.came_D)[:, None])[:, 0].numpy()

    def rises(self) -> pd.DataFrame:
        """Quantiles of the rise and what came, in percent of the close, a row a day."""
        quantiles = 100 * np.expm1(self.reach.quantiles(SHARES).numpy())
        named = {f"q{round(100 * share):02d}": quantiles[:, k] for k, share in enumerate(SHARES)}
        return pd.DataFrame({"date": self.table["date"], **named, "came": 100 * np.expm1(self.came_D)})


def horizons_of(table: pd.DataFrame) -> dict[int, HorizonForecasts]:
    """Take a trial's table apart by horizon, the days whose outcome is not known left out."""
    found = {}
    for horizon in (int(each) for each in table["horizon"].unique()):
        own = table[table["horizon"] == horizon].reset_index(drop=True)
        known = own.index[own["reach"].notna()]
        if len(known) < MIN_EVALUATION_DAYS:
            continue
        whole = table[table["date"].isin(own["date"][known])]
        found[horizon] = HorizonForecasts(horizon=horizon, table=own.loc[known], reach=read_reach(whole, horizon))
    return found


def calibration_over_thresholds(forecasts: HorizonForecasts, counts_RD: Array, asked: float) -> pd.DataFrame:
    """Mean probability of each threshold beside the share of days that reached it.

    Parameters
    ----------
    forecasts : HorizonForecasts
        Of the asked horizon.
    counts_RD : ndarray of shape (resamples, days)
        From :func:`search.evidence.bootstrap.day_counts`.
    asked : float
        The study's threshold, which enters beside the standard ones.

    Returns
    -------
    DataFrame
        Columns threshold, mean_p, share, low, high, n_days, n_reached, asked; ends are NaN where there are fewer than
        ten days of a class.
    """
    rows = []
    for threshold in sorted({*THRESHOLDS, asked}):
        p_D, y_D = forecasts.probability(threshold), forecasts.reached(threshold)
        n_D = np.ones_like(y_D)
        low, high = share_intervals(
            np.array([y_D.sum()]), np.array([n_D.sum()]), counts_RD @ y_D[:, None], counts_RD @ n_D[:, None]
        )
        ends = (float(low[0]), float(high[0])) if has_support(y_D) else (math.nan, math.nan)
        rows.append(
            {
                "threshold": threshold,
                "mean_p": float(p_D.mean()),
                "share": float(y_D.mean()),
                **dict(zip(("low", "high"), ends, strict=True)),
                "n_days": len(y_D),
                "n_reached": int(y_D.sum()),
                "asked": threshold == asked,
            }
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class Uniformity:
    """How far the integral transforms are from uniform.

    Parameters
    ----------
    bins : DataFrame
        Columns low, high, share, band_low, band_high: share of the days in each tenth, and the band that 95 of 100
        true distributions would show there.
    deviation : float
        Largest distance of the days' distribution function from uniform's (Kolmogorov's).
    limit : float
        Which true distributions stay below in 95 of 100 cases.
    """

    bins: pd.DataFrame
    deviation: float
    limit: float

    @property
    def holds(self) -> bool:
        """Whether true distributions would look so."""
        return self.deviation <= self.limit


def uniformity(pit_D: Array, horizon: int, *, n_simulated: int = N_SIMULATED, seed: int = 0) -> Uniformity:
    """Compare integral transforms with those of true distributions, simulated.

    Outcomes of overlapping days go together, so they are simulated together: as means of the noise of the days that
    they look at, like the gate's.

    References
    ----------
    Diebold, Gunther and Tay (1998), "Evaluating density forecasts".
    """
    rng, n_days = np.random.default_rng(seed), len(pit_D)
    noise = rng.standard_normal((n_simulated, n_days + horizon - 1))
    total = np.concatenate([np.zeros((n_simulated, 1)), noise.cumsum(1)], axis=1)
    drawn_SD = norm.cdf((total[:, horizon:] - total[:, :-horizon]) / math.sqrt(horizon))
    shares_SN = np.stack([_shares(each) for each in drawn_SD])
    low_N, high_N = np.percentile(shares_SN, BAND, axis=0)
    edges = np.linspace(0, 1, N_BINS + 1)
    bins = {"low": edges[:-1], "high": edges[1:], "share": _shares(pit_D), "band_low": low_N, "band_high": high_N}
    limit = float(np.quantile(_deviations(drawn_SD), 0.95))
    return Uniformity(bins=pd.DataFrame(bins), deviation=float(_deviations(pit_D[None])[0]), limit=limit)


def _shares(pit_D: Array) -> Array:
    return np.histogram(pit_D, bins=N_BINS, range=(0, 1))[0] / len(pit_D)


def _deviations(pit_SD: Array) -> Array:
    n = pit_SD.shape[1]
    ordered_SD = np.sort(pit_SD, axis=1)
    steps = np.arange(n + 1) / n
    return np.asarray(np.maximum(steps[1:] - ordered_SD, ordered_SD - steps[:-1]).max(axis=1), dtype=np.float64)


def horizon_scores(forecasts: HorizonForecasts, threshold: float, found: Uniformity) -> Scores:
    """Score one horizon: the whole distribution, and its probability of the asked threshold."""
    table, y_D = forecasts.table, forecasts.reached(threshold)
    less_D = (table[CRPS] - table[CLIMATOLOGY]).to_numpy(dtype=np.float64)
    rate = float(y_D.mean())
    base = -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate)) if 0 < rate < 1 else 0.0
    return Scores(
        horizon=forecasts.horizon,
        n_days=len(table),
        n_reached=int(y_D.sum()),
        crps=float(table[CRPS].mean()),
        crps_climatology=float(table[CLIMATOLOGY].mean()),
        less=mean_interval(less_D, difference_cosines(len(less_D), forecasts.horizon)),
        log_loss=float(daily_losses(y_D, forecasts.probability(threshold)).mean()),
        base_rate_loss=base,
        pit=found,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """What the distributions of one horizon score.

    Parameters
    ----------
    horizon, n_days, n_reached : int
        Days ahead; days whose outcome is known, and those that reached the asked threshold.
    crps, crps_climatology : float
        Mean scores, in percent of the close.
    less : Interval
        Mean of the one less the other.
    log_loss, base_rate_loss : float
        At the asked threshold, of the distribution's own probability and of always saying these days' share.
    pit : Uniformity
        Of the integral transforms.
    """

    horizon: int
    n_days: int
    n_reached: int
    crps: float
    crps_climatology: float
    less: Interval
    log_loss: float
    base_rate_loss: float
    pit: Uniformity
