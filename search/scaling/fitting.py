"""Fits the curves to the losses of trials, and compares them by AICc."""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

from search.scaling.curves import CONSTANT, LINE, N_PARAMETERS, POWER_LAW, Array, Fit, Groups
from search.scaling.huber import ALPHA_RANGE, N_ALPHAS, fit_linear, huber_cost, profile_alpha

SMALLEST_DELTA = 1e-3
HUBER_EFFICIENCY = 1.345
NORMAL_MAD = 1.4826
N_STARTS = 6


def huber_delta(log_loss_T: Array, budget_T: Groups) -> float:
    """Residual from which a trial counts as an outlier: 1.345 robust deviations of trials in a budget.

    With normal noise that keeps 95 % of the efficiency of least squares. Never below 1e-3, which is what
    Hoffmann et al. take for losses that are far less noisy than ours.

    References
    ----------
    Huber (1964), "Robust estimation of a location parameter"; Hoffmann et al. (2022), "Training
    compute-optimal large language models", section 3.3.
    """
    budgets, index_T = np.unique(budget_T, return_inverse=True)
    medians = np.array([np.median(log_loss_T[budget_T == budget]) for budget in budgets])
    spread = np.abs(log_loss_T - medians[index_T])[np.bincount(index_T)[index_T] > 1]
    return max(SMALLEST_DELTA, HUBER_EFFICIENCY * NORMAL_MAD * float(np.median(spread))) if len(spread) else 0.01


def aicc(cost: float, n_points: int, n_parameters: int) -> float:
    """Akaike's criterion for few points, of a Huber cost; the noise's scale is one more parameter.

    Infinite where the points are too few for the parameters.

    References
    ----------
    Hurvich and Tsai (1989), "Regression and time series model selection in small samples"; Ronchetti (1985),
    "Robust model selection in regression" (a robust cost in place of the sum of squares).

    Examples
    --------
    >>> round(aicc(0.5, 10, 1), 2), aicc(0.5, 4, 3)
    (-17.31, inf)
    """
    k = n_parameters + 1
    if n_points <= k + 1:
        return float("inf")
    deviance = n_points * np.log(max(2.0 * cost / n_points, 1e-24))
    return float(deviance + 2 * k + 2 * k * (k + 1) / (n_points - k - 1))


def fit_curves(n_params_T: Array, loss_T: Array, budget_T: Groups) -> tuple[tuple[Fit, ...], tuple[str, ...]]:
    """Fit every curve that so many budgets allow.

    Parameters
    ----------
    n_params_T, loss_T : ndarray of shape (trials,)
        Measured parameter counts and losses, both positive.
    budget_T : ndarray of shape (trials,)
        Which budget each trial belongs to.

    Returns
    -------
    fits : tuple of Fit
    unfitted : tuple of str
        What can't be fitted, and why.
    """
    n_budgets = len(np.unique(budget_T))
    log_loss_T = np.log(loss_T)
    delta = huber_delta(log_loss_T, budget_T)
    names = [name for name, n_parameters in N_PARAMETERS.items() if n_budgets >= n_parameters]
    fits = tuple(fit_curve(name, n_params_T, log_loss_T, delta) for name in names)
    return fits, _unfitted(n_budgets, fits)


def fit_curve(name: str, n_params_T: Array, log_loss_T: Array, delta: float) -> Fit:
    """Fit one curve by Huber's loss on log residuals."""
    if name == POWER_LAW:
        return _power_law(n_params_T, log_loss_T, delta)
    reference = reference_size(n_params_T)
    design_TP = polynomial(np.log(n_params_T / reference), N_PARAMETERS[name] - 1)
    (coefficients,), (cost,) = fit_linear(design_TP, log_loss_T[None], delta)
    parameters, problem = _named(name, coefficients, reference, n_params_T)
    return Fit(name=name, parameters=parameters, aicc=aicc(cost, len(log_loss_T), N_PARAMETERS[name]), problem=problem)


def reference_size(n_params_T: Array) -> float:
    """Geometric middle of the smallest and largest size, about which the fits are written."""
    return float(np.sqrt(n_params_T.min() * n_params_T.max()))


def polynomial(log_size_T: Array, degree: int) -> Array:
    """Columns 1, u, u² of log size."""
    return np.vander(log_size_T, degree + 1, increasing=True)


def _named(name: str, coefficients: Array, reference: float, n_params_T: Array) -> tuple[dict[str, float], str]:
    if name == CONSTANT:
        return {"E": float(np.exp(coefficients[0]))}, ""
    if name == LINE:
        level, slope = map(float, coefficients)
        return {"intercept": level - slope * float(np.log(reference)), "slope": slope}, ""
    level, slope, curvature = map(float, coefficients)
    if curvature <= 0:
        return {"curvature": curvature}, "the losses do not curve upwards"
    vertex = -slope / (2 * curvature)
    size = reference * float(np.exp(np.clip(vertex, -600, 600)))
    parameters = {"loss": float(np.exp(level - curvature * vertex**2)), "size": size, "curvature": curvature}
    inside = n_params_T.min() < size < n_params_T.max()
    return parameters, "" if inside else "its lowest point lies outside the sizes tried"


def _power_law(n_params_T: Array, log_loss_T: Array, delta: float) -> Fit:
    """Start from the best exponents of a grid and refine each; the lowest cost wins."""
    reference = reference_size(n_params_T)
    log_size_T = np.log(n_params_T / reference)
    alphas = np.geomspace(*ALPHA_RANGE, N_ALPHAS)
    profile = profile_alpha(alphas[None], log_size_T, log_loss_T[None], delta, n_steps=8)
    starts = np.argsort(profile.cost_RG[0], kind="stable")[:N_STARTS]
    found = [
        _refine(np.array([profile.floor_RG[0, g], profile.gain_RG[0, g], alphas[g]]), log_size_T, log_loss_T, delta)
        for g in starts
    ]
    cost, floor, gain, alpha = min(found)
    problem = "" if gain > 1e-9 * np.exp(log_loss_T.mean()) else "the losses do not fall with size"
    parameters = {"E": floor, "A": gain * reference**alpha, "alpha": alpha}
    return Fit(name=POWER_LAW, parameters=parameters, aicc=aicc(cost, len(log_loss_T), 3), problem=problem)


def _refine(start: Array, log_size_T: Array, log_loss_T: Array, delta: float) -> tuple[float, ...]:
    def residual(parameters: Array) -> Array:
        floor, gain, alpha = parameters
        return np.log(np.maximum(floor + gain * np.exp(-alpha * log_size_T), 1e-12)) - log_loss_T

    def jacobian(parameters: Array) -> Array:
        floor, gain, alpha = parameters
        x = np.exp(-alpha * log_size_T)
        columns = np.stack([np.ones_like(x), x, -gain * log_size_T * x], axis=1)
        return columns / np.maximum(floor + gain * x, 1e-12)[:, None]

    low, high = [0.0, 0.0, ALPHA_RANGE[0]], [np.inf, np.inf, ALPHA_RANGE[1]]
    inside = np.clip(start, np.array(low) + 1e-9, np.array(high) - 1e-9)
    tight = {"ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-14}
    found = least_squares(
        residual, inside, jacobian, bounds=(low, high), loss="huber", f_scale=delta, x_scale="jac", **tight
    )
    return float(huber_cost(found.fun, delta)), *map(float, found.x)


def _unfitted(n_budgets: int, fits: tuple[Fit, ...]) -> tuple[str, ...]:
    said = [f"{fit.name}: {fit.problem}" for fit in fits if fit.problem]
    if n_budgets < 2:
        return ("line, power law, U-shape: one budget has no sizes to compare; give studies of at least two",)
    if n_budgets == 2:
        return (
            "power law: two budgets can't tell a floor E from a slope, so E, A and alpha are unknown (three at least)",
            "U-shape: two budgets can't show where the lowest loss lies (three at least)",
        )
    if n_budgets == 3:
        said.append(
            "three budgets determine a power law or a U-shape and leave none over to test its shape (four at least)"
        )
    return tuple(said)
