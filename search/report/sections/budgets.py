"""Section: the budgets beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from model.spec.budget import Budget
from search.evidence import Difference, paired_difference
from search.report.inputs.study_inputs import StudyInputs
from search.report.layout.blocks import Figure, Section, Table, Text
from search.report.layout.columns import DIFFERENCE_CELLS, count, difference_columns, make_table, named, number, text
from search.report.layout.format import fixed
from search.report.layout.palette import Palette
from search.report.statistics.measure import Statistics


def in_order(all_inputs: Sequence[StudyInputs]) -> list[StudyInputs]:
    """Smallest budget first."""
    return sorted(all_inputs, key=lambda each: (Budget(text=each.plan.budget).n_params, each.name))


def previous_budget(inputs: StudyInputs, others: Sequence[StudyInputs]) -> StudyInputs | None:
    """Study of the largest budget below this one's; None if there is none."""
    own = Budget(text=inputs.plan.budget).n_params
    smaller = [each for each in others if Budget(text=each.plan.budget).n_params < own]
    return in_order(smaller)[-1] if smaller else None


def best_trials_apart(inputs: StudyInputs, other: StudyInputs) -> Difference:
    """Log loss of one study's best trial less that of another's, on the same days."""
    mine, theirs = inputs.trials, other.trials
    return paired_difference(
        mine.y_D,
        mine.p_MD[mine.best("trial")],
        theirs.p_MD[theirs.best("trial")],
        horizon=mine.horizon,
    )


def budgets_section(all_inputs: Sequence[StudyInputs], measured: Statistics) -> Section:
    """Compare the best trials of several studies, each with the next smaller budget's.

    They are at least two, on the same days, smallest budget first; what was measured is of the page's own study.
    """
    rows = []
    for smaller, each in zip([None, *all_inputs[:-1]], all_inputs, strict=True):
        trials = each.trials
        best = trials.best("trial")
        apart = None if smaller is None else best_trials_apart(each, smaller)
        rows.append(
            {
                "study": each.name,
                "budget": each.plan.budget,
                "n_trials": len(trials.names),
                "best_trial": trials.names[best],
                "n_params": trials.n_params[best],
                "loss": float(trials.losses_MD[best].mean()),
                "median_loss": float(np.median(trials.losses_MD.mean(axis=1))),
                "base_rate_loss": measured.base_rate_loss,
                **difference_columns(apart),
            }
        )
    data = pd.DataFrame(rows).drop(columns="difference_p_value")
    blocks = (
        Text(
            text="The best of a study with more trials is favoured by its number of tries, so budgets compare fairly "
            "only where they had equally many."
        ),
        _figure(all_inputs, measured.base_rate_loss),
        _table(data),
    )
    return Section(slug="budgets", title="Does a larger budget help?", short="Budgets", blocks=blocks)


def _table(data: pd.DataFrame) -> Table:
    return make_table(
        "budgets",
        "Best trial of each study, and its log loss less that of the next smaller budget's best on the same days, with "
        "95 % intervals.",
        {
            "study": text("study"),
            "trials": count("n_trials"),
            "best trial": named("best_trial"),
            "parameters": count("n_params"),
            "log loss": number("loss", 4),
            "base-rate loss": number("base_rate_loss", 4),
            **DIFFERENCE_CELLS,
        },
        data,
    )


def _figure(all_inputs: Sequence[StudyInputs], base_rate_loss: float) -> Figure:
    losses = {each.name: each.trial_losses for each in all_inputs}
    data = pd.concat(losses, names=["study"]).reset_index(0).reset_index(drop=True)
    baseline = min(each.baseline_loss for each in all_inputs if each.baselines.names)

    def draw(canvas: Canvas, palette: Palette) -> None:
        axes = canvas.subplots()
        colours = (palette.model, palette.third, palette.baseline)
        for place, (study, part) in enumerate(data.groupby("study", sort=False)):
            marker, colour = "os^Dv"[place % 5], colours[place % 3]
            axes.plot(part["n_params"], part["loss"], marker, color=colour, alpha=0.6, ms=5, mew=0, label=study)
        axes.axhline(baseline, color=palette.faint, ls="--", label="best baseline")
        low, high = float(data["loss"].min()), float(data["loss"].quantile(0.9))
        limits = (min(low, baseline) - 0.1 * (high - low), max(high, baseline) + 0.35 * (high - low))
        axes.set(xscale="log", ylim=limits, xlabel="parameters, counted", ylabel="log loss")
        axes.legend(loc="best")

    return Figure(
        name="budget_losses",
        alt=f"Log loss of every trial of {len(all_inputs)} studies against its parameter count, on a log scale, with "
        f"the best baseline at {baseline:.4f}.",
        caption="Loss of every trial against its measured number of parameters. Trials far above are cut off; the base "
        f"rate's loss is {fixed(base_rate_loss, 4)}.",
        data=data,
        draw=draw,
    )
