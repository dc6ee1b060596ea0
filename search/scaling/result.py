"""What a scaling fit found."""

from __future__ import annotations

from dataclasses import dataclass

from search.evidence.bootstrap import Interval
from search.scaling.curves import Fit
from search.scaling.points import Points

FALLS, RISES, BENDS, NONE_FOUND, UNKNOWN = "falls", "rises", "u-shape", "no scaling detected", "not enough to tell"


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetLoss:
    """What the trials of one budget lose.

    Parameters
    ----------
    budget : str
    n_trials, n_finished : int
        Trials in the fit, and finished ones.
    n_params : float
        Median of the measured counts.
    mean : Interval
        Mean loss of the trials, over days and trials.
    selected : Interval
        Loss of the best of them, chosen on other days than it is scored on; over days.
    """

    budget: str
    n_trials: int
    n_finished: int
    n_params: float
    mean: Interval
    selected: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaling:
    """Loss against measured size.

    Parameters
    ----------
    points : Points
        Trials in the fit: of every budget equally many.
    budgets : tuple of BudgetLoss
        By size.
    fits : tuple of Fit
        Curves fitted; ``Fit.predict`` draws them.
    unfitted : tuple of str
        What could not be fitted, and why.
    finding : str
        ``falls``, ``rises``, ``u-shape``, ``no scaling detected`` or ``not enough to tell``.
    chosen : str
        Curve with the lowest AICc of those that the intervals support; empty if there is not enough to tell.
    change : Interval, optional
        Loss at the largest size less that at the smallest: by the power law if that is chosen, else by the line.
    selected_change : Interval, optional
        The same of the largest and smallest budget's selected trials.
    detectable : float, optional
        Smallest change found at 80 % power, 5 % two-sided.
    floor, gain, alpha : Interval, optional
        E, A and alpha of the power law.
    lowest : Interval, optional
        Size at which the U-shape is lowest.
    block, n_resamples : int
        Of the bootstrap.
    """

    points: Points
    budgets: tuple[BudgetLoss, ...]
    fits: tuple[Fit, ...]
    unfitted: tuple[str, ...]
    finding: str
    chosen: str
    change: Interval | None
    selected_change: Interval | None
    detectable: float | None
    floor: Interval | None
    gain: Interval | None
    alpha: Interval | None
    lowest: Interval | None
    block: int
    n_resamples: int

    def fit(self, name: str) -> Fit | None:
        """Find the curve of this name, if it could be fitted."""
        return next((fit for fit in self.fits if fit.name == name), None)
