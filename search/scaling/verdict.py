"""The finding in words."""

from __future__ import annotations

from search.evidence.bootstrap import Interval
from search.evidence.text import interval_text
from search.scaling.curves import CONSTANT, POWER_LAW
from search.scaling.huber import ALPHA_RANGE
from search.scaling.result import BENDS, FALLS, NONE_FOUND, UNKNOWN, Scaling

MARGIN = 1.02


def verdict_of(scaling: Scaling) -> str:
    """Say what the losses show, what could have been seen, and what is not determined."""
    if scaling.finding == UNKNOWN:
        return _not_enough(scaling)
    if scaling.finding == NONE_FOUND:
        return f"{NONE_FOUND}: {_why_constant(scaling)}; {_change(scaling)}; {_power(scaling)}"
    if scaling.finding == BENDS:
        assert scaling.lowest is not None
        low, value, high = (size_text(each) for each in (scaling.lowest.low, scaling.lowest.value, scaling.lowest.high))
        return f"best near N = {value} [{low}, {high}]: U-shape (AICc {_lead(scaling):.1f} below a constant's)"
    return f"loss {scaling.finding} with size: {_change(scaling)}{_shape(scaling)}"


def size_text(n_params: float) -> str:
    """Write a parameter count in three digits: ``48.2K``.

    Examples
    --------
    >>> size_text(48_213), size_text(2e6), size_text(999), size_text(1e13)
    ('48.2K', '2M', '999', '1e+04B')
    """
    for unit, size in (("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if n_params >= size:
            return f"{n_params / size:.3g}{unit}"
    return f"{n_params:.3g}"


def alpha_text(alpha: Interval) -> str:
    """Write an exponent and its interval; an end outside what is searched is said, not printed.

    Examples
    --------
    >>> alpha_text(Interval(value=0.3, low=0.0, high=0.5))
    'α = 0.300 [not above 0, 0.500]'
    """
    low = "not above 0" if alpha.low <= ALPHA_RANGE[0] * MARGIN else f"{alpha.low:.3f}"
    high = f"above {ALPHA_RANGE[1]:g}" if alpha.high >= ALPHA_RANGE[1] / MARGIN else f"{alpha.high:.3f}"
    return f"α = {alpha.value:.3f} [{low}, {high}]"


def is_determined(alpha: Interval) -> bool:
    """Whether both ends of an exponent's interval lie inside what is searched."""
    return alpha.low > ALPHA_RANGE[0] * MARGIN and alpha.high < ALPHA_RANGE[1] / MARGIN


def _not_enough(scaling: Scaling) -> str:
    counts = ", ".join(f"{each.n_finished} of {each.budget}" for each in scaling.budgets)
    if len(scaling.budgets) < 2:
        return f"not enough budgets to tell: trials are {counts}; give studies of at least two budgets"
    return (
        f"not enough trials to tell: finished are {counts}, too few to say how much trials of one budget differ; "
        "run more"
    )


def _why_constant(scaling: Scaling) -> str:
    usable = sorted((fit for fit in scaling.fits if not fit.problem), key=lambda fit: fit.aicc)
    if usable[0].name == CONSTANT:
        rivals = [f"{fit.name} {fit.aicc - usable[0].aicc:.1f} higher" for fit in usable[1:]]
        return f"a constant explains the losses best (AICc: {', '.join(rivals) or 'no rival could be fitted'})"
    constant = scaling.fit(CONSTANT)
    assert constant is not None
    return (
        f"{usable[0].name} has an AICc {constant.aicc - usable[0].aicc:.1f} below a constant's, "
        "but other days or trials could show none of it"
    )


def _change(scaling: Scaling) -> str:
    assert scaling.change is not None
    sizes = scaling.points.n_params_T
    ends = f"from N = {size_text(sizes.min())} to {size_text(sizes.max())}"
    return f"{ends} the loss changes by {interval_text(scaling.change)}"


def _power(scaling: Scaling) -> str:
    return (
        f"{scaling.points.n_days} days and {len(scaling.points.names)} trials could have shown a difference of "
        f"{scaling.detectable:.4f} between these sizes"
    )


def _lead(scaling: Scaling) -> float:
    constant, chosen = scaling.fit(CONSTANT), scaling.fit(scaling.chosen)
    assert constant is not None and chosen is not None
    return constant.aicc - chosen.aicc


def _shape(scaling: Scaling) -> str:
    lead = f" (AICc {_lead(scaling):.1f} below a constant's)"
    if scaling.finding != FALLS:
        return f"{lead}; the smallest budget predicts best"
    if scaling.chosen != POWER_LAW:
        return f"{lead}; a straight line in log N explains it, α and a floor are not determined"
    assert scaling.alpha is not None and scaling.floor is not None
    if not is_determined(scaling.alpha):
        return f"{lead}; power law, {alpha_text(scaling.alpha)}: not determined"
    return f"{lead}; {alpha_text(scaling.alpha)}, floor E = {interval_text(scaling.floor)}"
