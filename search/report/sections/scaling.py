"""Section: loss against size over budgets, and what it is taken for."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from search.report.layout.blocks import Block, Figure, Section, Table, Text
from search.report.layout.columns import count, interval, interval_columns, make_table, number, text
from search.report.layout.format import MINUS, fixed
from search.report.layout.palette import Palette
from search.report.statistics.measure import Statistics
from search.scaling import Scaling
from search.scaling.text import formula, lines_below


def scaling_section(found: Scaling | str, measured: Statistics) -> Section:
    """Show a scaling fit beside the base rate's loss, or the reason that there is none."""
    if isinstance(found, str):
        blocks: list[Block] = [Text(lead="Not fitted.", text=found)]
    else:
        verdict, *others = lines_below(found)
        blocks = [
            Text(lead="Verdict.", text=sentence(verdict)),
            *(Text(text=sentence(line)) for line in others),
            _figure(found, measured.base_rate_loss),
            _budget_table(found, measured.base_rate_loss),
            _fit_table(found),
            Text(
                text=f"Of every budget the first {found.budgets[0].n_trials} trials enter, so that no budget is "
                "favoured by its number of tries; Huber loss in log space, curves compared by AICc. "
                f"{found.n_resamples:,} resamples of days, in blocks of {found.block}, and of trials.",
                tone="method",
            ),
        ]
    return Section(slug="scaling", title="Loss against size", short="Scaling", blocks=tuple(blocks))


def sentence(text: str) -> str:
    """Set a line of a terminal as a sentence of the page.

    Examples
    --------
    >>> sentence("no scaling detected: it changes by -0.0007 [-0.0109, 0.0099]")
    'No scaling detected: it changes by −0.0007 [−0.0109, 0.0099].'
    """
    return f"{text[0].upper()}{_with_minus(text[1:])}{'' if text.endswith('.') else '.'}"


def _with_minus(text: str) -> str:
    return re.sub(r"(?<![\w.])-(?=\d)|(?<=\^)-(?=\d)", MINUS, text)


def _figure(found: Scaling, base_rate_loss: float) -> Figure:
    points = found.points
    sizes = np.geomspace(points.n_params_T.min(), points.n_params_T.max(), 60)
    curves = {fit.name: fit.predict(sizes) for fit in found.fits if not fit.problem}
    trials = {"series": "trial", "name": points.names, "n_params": points.n_params_T, "loss": points.loss_T}
    fitted = [{"series": name, "name": "", "n_params": sizes, "loss": losses} for name, losses in curves.items()]
    data = pd.concat([pd.DataFrame(each) for each in (trials, *fitted)], ignore_index=True)

    def draw(canvas: Canvas, palette: Palette) -> None:
        axes = canvas.subplots()
        axes.plot(points.n_params_T, points.loss_T, "o", color=palette.model, alpha=0.5, ms=5, mew=0, label="trial")
        for place, (name, losses) in enumerate(curves.items()):
            if name == found.chosen:
                axes.plot(sizes, losses, "-", color=palette.baseline, label=f"{name} (chosen)")
            else:
                axes.plot(sizes, losses, ("--", ":", "-.")[place % 3], color=palette.faint, label=name)
        low, high = float(points.loss_T.min()), float(np.quantile(points.loss_T, 0.95))
        room = max(high - low, 1e-3)
        limits = (low - 0.1 * room, high + 0.4 * room)
        axes.set(xscale="log", ylim=limits, xlabel="parameters, counted", ylabel="log loss")
        axes.legend(loc="upper center", ncols=2)

    return Figure(
        name="scaling",
        alt=f"Log loss of {len(points.names)} trials of {', '.join(points.budgets)} against their parameter count, "
        f"with the fitted curves {', '.join(curves)}.",
        caption="Loss against measured size, and the curves that could be fitted. A curve that fits is not yet a law: "
        "it has to beat the constant. Trials far above are cut off; the base rate's loss is "
        f"{fixed(base_rate_loss, 4)}.",
        data=data,
        draw=draw,
    )


def _budget_table(found: Scaling, base_rate_loss: float) -> Table:
    data = [
        {
            "budget": each.budget,
            "n_trials": each.n_trials,
            "n_params": each.n_params,
            **interval_columns("mean", each.mean),
            **interval_columns("selected", each.selected),
            "base_rate_loss": base_rate_loss,
        }
        for each in found.budgets
    ]
    return make_table(
        "scaling_budgets",
        "Log loss of each budget with 95 % intervals: the mean of its trials, and its best one chosen on "
        f"other days than it is scored on. Smallest detectable change from the smallest to the largest: "
        f"{fixed(found.detectable, 4)}.",
        {
            "budget": text("budget"),
            "trials": count("n_trials"),
            "parameters, median": count("n_params"),
            "mean log loss": interval("mean", 4),
            "selected log loss": interval("selected", 4),
            "base-rate loss": number("base_rate_loss", 4),
        },
        pd.DataFrame(data),
    )


def _fit_table(found: Scaling) -> Table:
    lowest = min(fit.aicc for fit in found.fits)
    data = [
        {
            "curve": fit.name,
            "aicc": fit.aicc,
            "above_best": fit.aicc - lowest if np.isfinite(fit.aicc) else np.nan,
            "problem": fit.problem,
            "formula": "" if fit.problem else _with_minus(formula(fit)),
            "chosen": fit.name == found.chosen,
        }
        for fit in found.fits
    ]
    return make_table(
        "scaling_fits",
        "Curves fitted, by AICc above the lowest: below about 2 the days can't tell them apart.",
        {
            "curve": text("curve"),
            "AICc above the lowest": number("above_best", 1),
            "formula": lambda row: row["problem"] or row["formula"],
            "chosen": lambda row: "yes" if row["chosen"] else "",
        },
        pd.DataFrame(data),
        mark=lambda row: bool(row["chosen"]),
    )
