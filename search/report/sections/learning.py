"""Section: how the trials learned, epoch by epoch."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from search.report.inputs.study_inputs import StudyInputs
from search.report.layout.blocks import Figure, Section, Text
from search.report.layout.format import plural, short_name
from search.report.layout.palette import Palette
from search.report.statistics.measure import Statistics


def learning_section(inputs: StudyInputs, measured: Statistics) -> Section:
    """Show the validation loss of every trial by epoch."""
    curves = inputs.curves
    if curves.empty:
        blocks: tuple[Text | Figure, ...] = (Text(text="The record holds no losses by epoch."),)
    else:
        blocks = (Text(text=learning_in_words(inputs)), _figure(inputs, measured))
    return Section(slug="learning", title="How the trials learned", short="Learning curves", blocks=blocks)


def learning_in_words(inputs: StudyInputs) -> str:
    """Say how many trials were still improving when they ended, and how many got worse before."""
    curves = inputs.curves
    last = curves.groupby("run_id")["epoch"].max()
    best = curves.loc[curves.groupby("run_id")["loss"].idxmin()].set_index("run_id")["epoch"]
    improving = int((best == last).sum())
    return (
        f"Of {plural(len(last), 'trial')} {improving} had their lowest validation loss in their last epoch, so "
        f"{'more epochs might have helped them' if improving else 'none was stopped too early'}; the others were past "
        "their best, and their best weights count. The epoch was chosen on the days shown."
    )


def _figure(inputs: StudyInputs, measured: Statistics) -> Figure:
    curves = inputs.curves
    trials = inputs.trials
    best = trials.best("trial")
    baseline = inputs.baseline_loss
    names = dict(zip(trials.run_ids, trials.names, strict=True))
    data = curves.assign(model=curves["run_id"].map(names))[["model", "run_id", "epoch", "loss"]]
    named = short_name(trials.names[best])

    def draw(canvas: Canvas, palette: Palette) -> None:
        axes = canvas.subplots()
        for run_id, part in data.groupby("run_id", sort=True):
            if run_id != trials.run_ids[best]:
                axes.plot(part["epoch"], part["loss"], color=palette.faint, alpha=0.35, lw=0.9, marker=".", ms=3)
        chosen = data[data["run_id"] == trials.run_ids[best]]
        axes.plot(chosen["epoch"], chosen["loss"], color=palette.model, lw=2.4, marker="o", ms=5, label=named)
        axes.axhline(baseline, color=palette.baseline, ls="--", label="best baseline")
        axes.axhline(measured.base_rate_loss, color=palette.faint, ls=":", label="base rate")
        low = min(float(data["loss"].min()), baseline)
        high = max(float(np.quantile(data["loss"], 0.9)), measured.base_rate_loss)
        limits = (low - 0.05 * (high - low), high + 0.12 * (high - low))
        axes.set(ylim=limits, xlabel="epoch", ylabel="validation log loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="best")

    return Figure(
        name="learning",
        alt=f"Validation log loss by epoch of {len(names)} trials, the best, {named}, drawn strong, with the best "
        f"baseline at {baseline:.4f} and the base rate at {measured.base_rate_loss:.4f}.",
        caption="Validation loss by epoch: every trial faint, the best one strong. A curve that never comes below the "
        "dotted line has learned nothing. Losses far above are cut off.",
        data=data,
        draw=draw,
    )
