"""A scaling fit in tables, lines and JSON."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from rich.table import Table

from search.evidence.text import interval_text
from search.scaling.curves import CONSTANT, LINE, POWER_LAW, U_SHAPE, Fit
from search.scaling.result import Scaling
from search.scaling.verdict import size_text, verdict_of

INTERVALS = ("change", "selected_change", "floor", "gain", "alpha", "lowest")
FORMULAS = {
    CONSTANT: "L = {E:.4f}",
    LINE: "log L = {intercept:.4f} {slope:+.4f}·log N",
    POWER_LAW: "L = {E:.4f} + {A:.4g}·N^-{alpha:.3f}",
    U_SHAPE: "log L = log {loss:.4f} + {curvature:.2g}·log²(N / {size:.3g})",
}


def scaling_tables(scaling: Scaling) -> tuple[Table, Table]:
    """Losses of the budgets, and the curves."""
    caption = (
        f"of each budget the first {scaling.budgets[0].n_trials} trials; {scaling.points.n_days} days in blocks of "
        f"about {scaling.block}, {scaling.n_resamples} resamples"
    )
    losses = Table(title="validation loss by measured size", caption=caption)
    for name in ("budget", "trials", "parameters", "mean loss [95 %]", "best, chosen on other days [95 %]"):
        losses.add_column(name, justify="left" if name == "budget" else "right")
    for each in scaling.budgets:
        trials = f"{each.n_trials} of {each.n_finished}"
        figures = (interval_text(each.mean), interval_text(each.selected))
        losses.add_row(each.budget, trials, size_text(each.n_params), *figures)
    curves = Table(title="curves")
    for name in ("curve", "AICc over the lowest", "fitted"):
        curves.add_column(name, justify="right" if name.startswith("AICc") else "left")
    lowest = min(fit.aicc for fit in scaling.fits)
    for fit in scaling.fits:
        mark = " (chosen)" if fit.name == scaling.chosen else ""
        above = f"{fit.aicc - lowest:.1f}" if lowest < fit.aicc + 1 < float("inf") else "unknown"
        curves.add_row(fit.name + mark, above, fit.problem or formula(fit))
    return losses, curves


def lines_below(scaling: Scaling) -> list[str]:
    """Give the verdict, the best trials' change, and what could not be fitted."""
    lines = [verdict_of(scaling)]
    if scaling.selected_change is not None:
        lines.append(
            f"best trial of {scaling.budgets[-1].budget} less that of {scaling.budgets[0].budget}, each chosen on "
            f"other days: {interval_text(scaling.selected_change)}"
        )
    return lines + [f"not determined: {line}" for line in scaling.unfitted]


def scaling_to_dict(scaling: Scaling) -> dict[str, Any]:
    """As JSON holds it; what is unknown is null."""
    points = scaling.points
    rows = zip(points.names, points.budget_T, points.n_params_T, points.loss_T, strict=True)
    intervals = {name: getattr(scaling, name) for name in INTERVALS}
    figures = {
        "verdict": verdict_of(scaling),
        "finding": scaling.finding,
        "chosen": scaling.chosen,
        "budgets": [asdict(each) for each in scaling.budgets],
        "fits": [asdict(fit) for fit in scaling.fits],
        "unfitted": scaling.unfitted,
        **{name: each and asdict(each) for name, each in intervals.items()},
        "detectable": scaling.detectable,
        "n_days": points.n_days,
        "block": scaling.block,
        "n_resamples": scaling.n_resamples,
        "points": [
            {"name": name, "budget": points.budgets[b], "n_params": int(size), "loss": float(loss)}
            for name, b, size, loss in rows
        ],
    }
    return _finite(figures)


def formula(fit: Fit) -> str:
    """Write a curve with its parameters.

    Examples
    --------
    >>> formula(Fit(name="power law", parameters={"E": 0.4, "A": 2.0, "alpha": 0.3}, aicc=0.0, problem=""))
    'L = 0.4000 + 2·N^-0.300'
    """
    return FORMULAS[fit.name].format(**fit.parameters)


def _finite(value: Any) -> Any:
    """Replace what JSON has no word for."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
