"""What a bigger budget buys: curves, intervals and a finding from the points of several budgets."""

from __future__ import annotations

import numpy as np

from search.evidence.bootstrap import Interval, block_length
from search.scaling.curves import CONSTANT, LINE, POWER_LAW, U_SHAPE, Array, Fit
from search.scaling.fitting import fit_curves
from search.scaling.intervals import detectable, expanded_interval, is_beyond_zero
from search.scaling.points import Points
from search.scaling.resampling import day_shares, refit, resample_losses
from search.scaling.result import BENDS, FALLS, NONE_FOUND, RISES, UNKNOWN, BudgetLoss, Scaling
from search.scaling.selected import selected_losses

N_RESAMPLES = 2000
FEWEST_LONE_BUDGETS = 5
FEWEST_TRIALS = 5
BEND_LEVEL = 0.99


def scaling_of_points(finished: Points, *, horizon: int, n_resamples: int = N_RESAMPLES, seed: int = 0) -> Scaling:
    """Fit the curves, resample days and trials, and find what both allow to say.

    The loss that stands for a size is that of its typical trial: curves go through the mean losses of
    all trials, robustly, never through the lowest of them. Of every budget the first trials enter, as many as the
    least searched budget has, because a search gets better as it goes on.

    A curve other than the constant is chosen only if it has the lowest AICc **and** its interval supports it.
    AICc alone takes trials for independent, which share their days; an interval alone would
    take any curve.

    Parameters
    ----------
    finished : Points
        Every finished trial, of each budget in the order they were run.
    horizon : int
        Sessions that a label looks ahead; blocks of days are at least as long.
    n_resamples, seed : int
        Of the bootstrap.

    References
    ----------
    Kaplan et al. (2020), "Scaling laws for neural language models"; Hoffmann et al. (2022), "Training
    compute-optimal large language models", section 3.3 (approach 3).
    """
    points = finished.equal_effort()
    fits, unfitted = fit_curves(points.n_params_T, points.loss_T, points.budget_T)
    block = _block(points, horizon)
    share_RD = day_shares(points.n_days, block=block, n_resamples=n_resamples, seed=seed)
    curve = min((fit for fit in fits if not fit.problem), key=lambda fit: fit.aicc)
    losses_RT = resample_losses(points, curve, share_RD, seed=seed)
    drawn = refit(points, losses_RT)
    n_free = _free_trials(points)
    found = _intervals(points, fits, drawn, n_free)
    selected_BD = np.stack(
        [selected_losses(points.losses_TD[points.budget_T == b]) for b in range(len(points.budgets))]
    )
    finding, chosen = _find(points, fits, drawn, found)
    return Scaling(
        points=points,
        budgets=_budgets(finished, points, losses_RT, selected_BD, share_RD, n_free),
        fits=fits,
        unfitted=unfitted,
        finding=finding,
        chosen=chosen,
        selected_change=_over_days(selected_BD[-1] - selected_BD[0], share_RD) if len(selected_BD) > 1 else None,
        detectable=detectable(drawn["change"], n_free) if _is_enough(points) else None,
        change=found.get("power_change" if chosen == POWER_LAW else "change"),
        floor=found.get("E"),
        gain=found.get("A"),
        alpha=found.get("alpha"),
        lowest=found.get("lowest") if chosen == U_SHAPE else None,
        block=block,
        n_resamples=n_resamples,
    )


def _block(points: Points, horizon: int) -> int:
    """Block as long as the longer memory of two series: the mean loss, and what size changes in it."""
    size_T = np.log(points.n_params_T)
    series = [points.losses_TD.mean(axis=0), (size_T - size_T.mean()) @ points.losses_TD]
    return min(max(block_length(each, horizon) for each in series), points.n_days)


def _free_trials(points: Points) -> int:
    """Trials that tell how much trials differ."""
    n_trials, repeated = len(points.names), max(points.counts) > 1
    return max(2, n_trials - len(points.budgets) + 1 if repeated else n_trials - 2)


def _is_enough(points: Points) -> bool:
    """Whether the spread of trials can be told from the effect of size."""
    repeated = max(points.counts) > 1
    return (
        len(points.budgets) > 1
        and len(points.names) >= FEWEST_TRIALS
        and (repeated or len(points.budgets) >= FEWEST_LONE_BUDGETS)
    )


def _intervals(points: Points, fits: tuple[Fit, ...], drawn: dict[str, Array], n_free: int) -> dict[str, Interval]:
    """Interval of every figure that so many budgets determine."""
    fitted = {fit.name: fit for fit in fits}
    found = {}
    for curve, name in ((LINE, "change"), (POWER_LAW, "power_change")):
        if curve in fitted:
            smallest, largest = fitted[curve].predict([points.n_params_T.min(), points.n_params_T.max()])
            found[name] = expanded_interval(float(largest - smallest), drawn[name], n_free)
    if POWER_LAW in fitted:
        parameters = fitted[POWER_LAW].parameters
        found |= {name: expanded_interval(value, drawn[name], n_free) for name, value in parameters.items()}
    if U_SHAPE in fitted:
        bent = fitted[U_SHAPE].parameters
        found["curvature"] = expanded_interval(bent["curvature"], drawn["curvature"], n_free, BEND_LEVEL)
        vertex_R = drawn["vertex"][np.isfinite(drawn["vertex"])]
        if "size" in bent and len(vertex_R):
            found["lowest"] = expanded_interval(bent["size"], np.exp(np.clip(vertex_R, -600, 600)), n_free)
    return found


def _find(
    points: Points, fits: tuple[Fit, ...], drawn: dict[str, Array], found: dict[str, Interval]
) -> tuple[str, str]:
    """Choose the lowest AICc among the curves that the intervals support."""
    if not _is_enough(points):
        return UNKNOWN, ""
    supported = {
        CONSTANT: True,
        LINE: is_beyond_zero(found["change"]),
        POWER_LAW: found["change"].high < 0,
        U_SHAPE: _is_bent(points, drawn, found),
    }
    chosen = min((fit for fit in fits if supported[fit.name] and not fit.problem), key=lambda fit: fit.aicc).name
    if chosen == CONSTANT:
        return NONE_FOUND, chosen
    if chosen == U_SHAPE:
        return BENDS, chosen
    return FALLS if found["change"].value < 0 else RISES, chosen


def _is_bent(points: Points, drawn: dict[str, Array], found: dict[str, Interval]) -> bool:
    """Whether the curve opens upwards and its lowest point lies inside the sizes, on other days too."""
    if "lowest" not in found or not np.isfinite(drawn["vertex"]).all():
        return False
    sizes = points.n_params_T
    return found["curvature"].low > 0 and sizes.min() < found["lowest"].low and found["lowest"].high < sizes.max()


def _budgets(
    finished: Points, points: Points, losses_RT: Array, selected_BD: Array, share_RD: Array, n_free: int
) -> tuple[BudgetLoss, ...]:
    mine_BT = points.budget_T == np.arange(len(points.budgets))[:, None]
    return tuple(
        BudgetLoss(
            budget=budget,
            n_trials=int(mine_T.sum()),
            n_finished=n_finished,
            n_params=float(np.median(points.n_params_T[mine_T])),
            mean=expanded_interval(float(points.loss_T[mine_T].mean()), losses_RT[:, mine_T].mean(axis=1), n_free),
            selected=_over_days(selected_D, share_RD),
        )
        for budget, n_finished, mine_T, selected_D in zip(
            points.budgets, finished.counts, mine_BT, selected_BD, strict=True
        )
    )


def _over_days(series_D: Array, share_RD: Array) -> Interval:
    """Mean of a daily series, with its interval over resampled days."""
    return expanded_interval(float(series_D.mean()), share_RD @ series_D, len(series_D))
