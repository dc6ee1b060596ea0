"""Section: loss against size over budgets, and what it is taken for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from search.report.layout.blocks import Block, Figure, Section, Table, Text
from search.report.layout.columns import interval_columns
from search.report.layout.format import MINUS, fixed, whole, with_interval
from search.report.layout.palette import Palette
from search.scaling.text import formula, lines_below

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from search.report.statistics.measure import Statistics
    from search.scaling import Scaling


def scaling_section(found: Scaling | str, measured: Statistics) -> Section:
    """Show a scaling fit, or say why there is none.

    Parameters
    ----------
    found : Scaling or str
        The fit, or the reason that there is none.
    measured : Statistics
        Of the page's own study, for the base rate's loss.
    """
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
    data = pd.concat(
        [
            pd.DataFrame(
                {"series": "trial", "name": points.names, "n_params": points.n_params_T, "loss": points.loss_T}
            ),
            *(
                pd.DataFrame({"series": name, "name": "", "n_params": sizes, "loss": losses})
                for name, losses in curves.items()
            ),
        ],
        ignore_index=True,
    )

    def draw(canvas: Canvas, palette: Palette) -> None:
        axes = canvas.subplots()
        axes.plot(points.n_params_T, points.loss_T, "o", color=palette.model, alpha=0.5, ms=5, mew=0, label="trial")
        for number, (name, losses) in enumerate(curves.items()):
            colour = palette.baseline if name == found.chosen else palette.faint
            style = "-" if name == found.chosen else ("--", ":", "-.")[number % 3]
            axes.plot(sizes, losses, style, color=colour, label=f"{name}{' (chosen)' if name == found.chosen else ''}")
        axes.set_xscale("log")
        low, high = float(points.loss_T.min()), float(np.quantile(points.loss_T, 0.95))
        room = max(high - low, 1e-3)
        axes.set_ylim(low - 0.1 * room, high + 0.4 * room)
        axes.set_xlabel("parameters, counted")
        axes.set_ylabel("log loss")
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
    data = pd.DataFrame(
        [
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
    )
    rows = tuple(
        (
            each.budget,
            whole(each.n_trials),
            whole(each.n_params),
            with_interval(each.mean, 4),
            with_interval(each.selected, 4),
            fixed(base_rate_loss, 4),
        )
        for each in found.budgets
    )
    return Table(
        name="scaling_budgets",
        caption="Log loss of each budget with 95 % intervals: the mean of its trials, and its best one chosen on "
        f"other days than it is scored on. Smallest detectable change from the smallest to the largest: "
        f"{fixed(found.detectable, 4)}.",
        head=("budget", "trials", "parameters, median", "mean log loss", "selected log loss", "base-rate loss"),
        rows=rows,
        data=data,
    )


def _fit_table(found: Scaling) -> Table:
    lowest = min(fit.aicc for fit in found.fits)
    data = pd.DataFrame(
        [
            {
                "curve": fit.name,
                "aicc": fit.aicc,
                "above_best": fit.aicc - lowest if np.isfinite(fit.aicc) and np.isfinite(lowest) else np.nan,
                "problem": fit.problem,
                "formula": "" if fit.problem else _with_minus(formula(fit)),
                "chosen": fit.name == found.chosen,
            }
            for fit in found.fits
        ]
    )
    rows = tuple(
        (row["curve"], fixed(row["above_best"], 1), row["problem"] or row["formula"], "yes" if row["chosen"] else "")
        for row in data.to_dict("records")
    )
    return Table(
        name="scaling_fits",
        caption="Curves fitted, by AICc above the lowest: below about 2 the days can't tell them apart.",
        head=("curve", "AICc above the lowest", "formula", "chosen"),
        rows=rows,
        data=data,
        marked=frozenset(number for number, chosen in enumerate(data["chosen"]) if chosen),
    )
