"""What a number of days could show, before anything is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.optimize import brentq
from scipy.stats import norm

from pipeline.exceptions import InputError
from search.evidence.difference import POWER, SIZE
from search.results.detectable import LOSS_DEVIATION, ROC_AUC, auc_standard_error, smallest_gain, smallest_loss

BASE_RATE, CORRELATION = 0.2, 0.87


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedPower:
    """What a plan could show, and the assumptions under which.

    Parameters
    ----------
    days, horizon : int
        Forecast days, and sessions that a label looks ahead.
    base_rate, roc_auc, correlation : float
        Assumed share of positive days, AUC of the models, and correlation of two models' AUC estimates.
    effective_days : float
        Days that carry as much as these once the overlap of their labels is counted.
    smallest_auc : float
        Smallest AUC that differs from 0.5.
    smallest_gain : float
        Smallest AUC difference of two models on the same days.
    smallest_loss : float
        Smallest difference of two models in log loss.
    power, size : float
        With which power and two-sided size.
    """

    days: int
    horizon: int
    base_rate: float
    roc_auc: float
    correlation: float
    effective_days: float
    smallest_auc: float
    smallest_gain: float
    smallest_loss: float
    power: float = POWER
    size: float = SIZE

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What was assumed, one line each."""
        overlap = (
            f"labels overlap over {self.horizon} days and forecasts hardly change within them, so that "
            f"{self.horizon} days are worth one"
        )
        return (
            f"{self.base_rate:.0%} of the days are positive, and models of AUC {self.roc_auc:g} are compared",
            f"two models' AUC estimates correlate by {self.correlation:g}",
            f"their daily losses differ with a deviation of {LOSS_DEVIATION:g}, as measured of SPY, one day ahead",
            *((overlap,) if self.horizon > 1 else ()),
            "days are otherwise independent; clusters of volatility make the real figures larger",
        )


def plan_power(
    days: int,
    horizon: int,
    *,
    base_rate: float = BASE_RATE,
    roc_auc: float = ROC_AUC,
    correlation: float = CORRELATION,
) -> PlannedPower:
    """Smallest effects that so many days show with 80 % power at 5 %, two-sided.

    Labels overlap over the horizon: neighbours ``k`` days apart share ``1 - k / horizon`` of
    the days they look at, and as long as hits are rare that is their correlation too. The variance
    of a mean over days grows by ``1 + 2 Σ (1 - k / horizon) r(k)``, with r the autocorrelation of the
    forecast. Forecasts that hardly change within a horizon, r = 1, make that ``horizon``: the days
    carry as much as ``days / horizon`` independent ones. Forecasts that change faster lose less.

    The default correlation is the one at which 502 days at horizon 1 show a gain of about 0.044. Models
    that resemble each other show smaller ones: trials of one study of SPY correlated by 0.96 (median), where
    501 days show 0.021 by bootstrap and 0.024 by this formula.

    Parameters
    ----------
    days, horizon : int
        Forecast days, and sessions that a label looks ahead.
    base_rate : float
        Share of positive days.
    roc_auc : float
        AUC of the models that are compared.
    correlation : float
        Of two models' AUC estimates on the same days.

    Raises
    ------
    InputError
        If a figure is outside its range, or too few days are left.

    Examples
    --------
    >>> planned = plan_power(502, 1)
    >>> round(planned.smallest_auc, 3), round(planned.smallest_gain, 3)
    (0.591, 0.043)
    """
    _require("days", days, days >= 1, "a whole number, at least 1")
    _require("horizon", horizon, 1 <= horizon < days, f"between 1 and the {days} days")
    _require("base_rate", base_rate, 0 < base_rate < 1, "between 0 and 1, neither of them")
    _require("roc_auc", roc_auc, 0.5 <= roc_auc < 1, "at least 0.5 and below 1")
    _require("correlation", correlation, -1 <= correlation < 1, "at least -1 and below 1")
    effective_days = days / horizon
    positive, negative = base_rate * effective_days, (1 - base_rate) * effective_days
    _require("days", days, min(positive, negative) >= 2, "enough for two days of either class after the overlap")
    return PlannedPower(
        days=days,
        horizon=horizon,
        base_rate=base_rate,
        roc_auc=roc_auc,
        correlation=correlation,
        effective_days=effective_days,
        smallest_auc=_smallest_auc(positive, negative),
        smallest_gain=smallest_gain(effective_days, base_rate=base_rate, roc_auc=roc_auc, correlation=correlation),
        smallest_loss=smallest_loss(effective_days),
    )


def _smallest_auc(n_positive: float, n_negative: float) -> float:
    """AUC whose distance from 0.5 its own and the null's standard error allow to see; NaN if none does."""
    at_half = float(norm.ppf(1 - SIZE / 2)) * auc_standard_error(0.5, n_positive, n_negative)

    def excess(roc_auc: float) -> float:
        return roc_auc - 0.5 - at_half - float(norm.ppf(POWER)) * auc_standard_error(roc_auc, n_positive, n_negative)

    return float(brentq(excess, 0.5, 1.0)) if excess(1.0) > 0 else math.nan


def _require(name: str, value: float, holds: bool, rule: str) -> None:
    if not holds:
        raise InputError(f"{name} must be {rule}, got {value}")
