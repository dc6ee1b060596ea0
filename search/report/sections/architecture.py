"""Section: what of the architecture and the training matters, at equal size."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from search.report.inputs.study_inputs import StudyInputs
from search.report.layout.blocks import Block, Figure, Section, Table, Text
from search.report.layout.columns import DIFFERENCE_CELLS, count, make_table, number, text
from search.report.layout.format import fixed, p_text
from search.report.layout.palette import Palette
from search.report.sections.influence import influence_blocks
from search.report.statistics.importance import FANOVA, MIN_TRIALS, PED_ANOVA, importances
from search.report.statistics.measure import Statistics
from search.report.statistics.shape import ShapeEffect, aspect_octave, retrial_deviation, shape_effect

ASPECT, HEADS = "aspect ratio", "head count"


def architecture_section(inputs: StudyInputs, measured: Statistics) -> Section:
    """Show importances, shape insensitivity, and loss against parameters."""
    effects = shape_effects(inputs, measured)
    return Section(
        slug="architecture",
        title="What matters in the architecture?",
        short="Architecture",
        blocks=(
            *influence_blocks(inputs.influence),
            *_importance_blocks(inputs),
            *_shape_blocks(inputs, measured, effects),
            _size_figure(inputs, measured),
        ),
    )


def shape_effects(inputs: StudyInputs, measured: Statistics) -> dict[str, ShapeEffect]:
    """Effect of the aspect ratio and of the head count, where more than one value was tried."""
    trials, specs = inputs.trials, inputs.trial_specs()
    values = {
        ASPECT: [aspect_octave(s.architecture.d_model, s.architecture.n_layers) for s in specs],
        HEADS: [float(s.architecture.n_heads) for s in specs],
    }
    losses_MD = trials.losses_MD
    found = {name: shape_effect(v, losses_MD, trials.names, measured.counts_RD) for name, v in values.items()}
    return {name: effect for name, effect in found.items() if effect is not None}


def effect_in_words(effect: ShapeEffect) -> str:
    """Say whether a dimension of the shape matters more than the days' noise."""
    figures = (
        f"At equal size the best trials at {len(effect.table)} values differ by {fixed(effect.spread, 4)} in log loss, "
        f"with a bootstrap standard error of {fixed(effect.standard_error, 4)}"
    )
    verdict = (
        "larger than noise"
        if effect.is_larger_than_noise
        else "no larger than what equal models would show on these days"
    )
    return f"{figures}: {verdict} ({p_text(effect.p_value)})."


def ratio_text(value: float) -> str:
    """Write a power of two.

    Examples
    --------
    >>> ratio_text(8.0), ratio_text(0.0625)
    ('8', '1/16')
    """
    return f"{value:g}" if value >= 1 else f"1/{1 / value:g}"


def spaced(values: list[float]) -> list[float]:
    """Leave out values whose labels would run into each other on a logarithmic axis, ascending.

    Examples
    --------
    >>> spaced([0.0625, 0.125, 1.0, 8.0, 64.0])
    [0.0625, 1.0, 8.0, 64.0]
    """
    octaves = np.log2(values)
    room, kept = np.ptp(octaves) / 7, [0]
    for place in range(1, len(values)):
        if octaves[place] - octaves[kept[-1]] >= room:
            kept.append(place)
    return [values[place] for place in kept]


def _importance_blocks(inputs: StudyInputs) -> list[Block]:
    losses = inputs.trials.losses_MD.mean(axis=1).tolist()
    table = importances(inputs.trial_specs(), losses, ranges=inputs.plan.ranges)
    if table is None:
        return [
            Text(
                text=f"Importance of hyper-parameters is not shown: it takes {MIN_TRIALS} finished trials of different "
                f"loss, and there are {len(losses)}."
            )
        ]
    first = {method: str(table[method].idxmax()) for method in (PED_ANOVA, FANOVA)}
    same = first[PED_ANOVA] == first[FANOVA]
    agreement = (
        f"Both methods put {first[FANOVA]} first."
        if same
        else f"The methods disagree: {PED_ANOVA} puts {first[PED_ANOVA]} first, {FANOVA} {first[FANOVA]}."
    )
    return [
        Text(
            lead="Importance.",
            text=f"{agreement} {PED_ANOVA} (Watanabe et al. 2023) says what tells the best tenth of the trials from "
            f"the rest; {FANOVA} (Hutter et al. 2014) says what the loss varies with over the whole space. With "
            f"{len(losses)} trials that a sampler chose, both are rough.",
        ),
        _importance_figure(table),
    ]


def _importance_figure(table: pd.DataFrame) -> Figure:
    data = table.reset_index()

    def draw(canvas: Canvas, palette: Palette) -> None:
        axes = canvas.subplots()
        rows = np.arange(len(data))[::-1]
        axes.barh(rows + 0.19, data[PED_ANOVA], 0.36, color=palette.model, label=PED_ANOVA)
        axes.barh(rows - 0.19, data[FANOVA], 0.36, color=palette.baseline, label=FANOVA, hatch="///", ec=palette.paper)
        axes.set_yticks(rows, data["parameter"])
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("share of the importance")
        axes.legend(loc="lower right")

    shares = ", ".join(
        f"{row['parameter']} {row[PED_ANOVA]:.2f} and {row[FANOVA]:.2f}" for row in data.to_dict("records")
    )
    return Figure(
        name="importance",
        alt=f"Bars of the importance of each parameter, by {PED_ANOVA} and {FANOVA}: {shares}.",
        caption="Importance of each searched parameter by two methods; each method's bars add up to 1. Trust what both "
        "agree on.",
        data=data,
        draw=draw,
        height=1.1 + 0.38 * len(data),
    )


def _shape_blocks(inputs: StudyInputs, measured: Statistics, effects: dict[str, ShapeEffect]) -> list[Block]:
    if not effects:
        return [Text(text="Shape can't be judged: all trials have the same aspect ratio and head count.")]
    labels = [spec.architecture.label for spec in inputs.trial_specs()]
    noise = retrial_deviation(labels, inputs.trials.losses_MD.mean(axis=1))
    yardstick = (
        f"For scale: trials of the same architecture that differ in training alone scatter by {fixed(noise, 4)}."
        if noise is not None
        else "No architecture was tried twice, so what training settings do on their own is unknown."
    )
    return [
        *(Text(lead=f"{name.capitalize()}.", text=effect_in_words(effect)) for name, effect in effects.items()),
        Text(
            text=f"{yardstick} The best trial stands for each value; a value that was tried more often had more "
            "chances. So a spread within noise says shape does not matter on these days, a larger one need not come "
            "from shape."
        ),
        _shape_figure(inputs, measured, effects),
        *(_shape_table(name, effect, measured.base_rate_loss) for name, effect in effects.items()),
    ]


def _shape_figure(inputs: StudyInputs, measured: Statistics, effects: dict[str, ShapeEffect]) -> Figure:
    shapes = [spec.architecture for spec in inputs.trial_specs()]
    ratios, heads = [s.d_model / s.n_layers for s in shapes], [s.n_heads for s in shapes]
    data = inputs.trial_losses.assign(**{ASPECT: ratios, HEADS: heads})[["model", ASPECT, HEADS, "loss"]]

    def draw(canvas: Canvas, palette: Palette) -> None:
        both = np.atleast_1d(canvas.subplots(1, len(effects), sharey=True))
        for axes, (name, effect) in zip(both, effects.items(), strict=True):
            axes.plot(data[name], data["loss"], "o", color=palette.model, alpha=0.45, ms=4.5, mew=0)
            best = effect.table
            axes.plot(best["value"], best["loss"], "-", color=palette.third, marker="D", ms=4)
            lowest = float(best["loss"].min())
            axes.axhspan(lowest, lowest + 2 * effect.standard_error, color=palette.third, alpha=0.15, lw=0)
            axes.set_xscale("log", base=2)
            ticks = spaced(best["value"].tolist())
            axes.set_xticks(ticks, [ratio_text(v) for v in ticks])
            axes.minorticks_off()
            axes.set_xlabel("d_model / n_layers" if name == ASPECT else "attention heads")
        both[0].set(ylim=_loss_limits(data["loss"]), ylabel="log loss")

    spreads = "; ".join(f"{name}: spread {effect.spread:.4f}" for name, effect in effects.items())
    return Figure(
        name="shape",
        alt=f"Log loss of every trial against aspect ratio and head count, the best at each value joined. {spreads}.",
        caption="Loss of every trial (dots) and the best at each value (diamonds; aspect ratios grouped to powers of "
        "two). The band is two standard errors above the lowest: diamonds inside it can hardly be told apart. Trials "
        f"far above are cut off; the base rate's loss is {fixed(measured.base_rate_loss, 4)}.",
        data=data,
        draw=draw,
        height=3.6,
    )


def _loss_limits(losses: pd.Series) -> tuple[float, float]:
    """Keep the good nine tenths in sight."""
    low, high = float(losses.min()), float(losses.quantile(0.9))
    room = max(high - low, 1e-3)
    return low - 0.1 * room, high + 0.25 * room


def _shape_table(name: str, effect: ShapeEffect, base_rate_loss: float) -> Table:
    data = effect.table.assign(base_rate_loss=base_rate_loss)
    apart = data[["difference", "low", "high", "detectable"]].set_axis(
        ["difference_value", "difference_low", "difference_high", "difference_detectable"], axis=1
    )
    return make_table(
        name.replace(" ", "_"),
        f"Best trial at each {name}, and its distance from the lowest loss of all with a 95 % interval.",
        {
            name: lambda row: ratio_text(row["value"]),
            "trials": count("n_trials"),
            "best trial": text("name"),
            "log loss": number("loss", 4),
            "base-rate loss": number("base_rate_loss", 4),
            **DIFFERENCE_CELLS,
        },
        data,
        shown=data.join(apart[apart["difference_value"] != 0]),
    )


def _size_figure(inputs: StudyInputs, measured: Statistics) -> Figure:
    data, baseline = inputs.trial_losses, inputs.baseline_loss

    def draw(canvas: Canvas, palette: Palette) -> None:
        axes = canvas.subplots()
        axes.plot(data["n_params"], data["loss"], "o", color=palette.model, alpha=0.55, ms=5, mew=0, label="trial")
        axes.axhline(baseline, color=palette.baseline, ls="--", label="best baseline")
        low, high = _loss_limits(data["loss"])
        room = 0.05 * (high - low)
        axes.set(
            xlabel="parameters, counted",
            ylabel="log loss",
            ylim=(min(low, baseline - room), max(high, baseline + room)),
        )
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.locator_params(axis="x", nbins=5)
        axes.legend(loc="best")

    return Figure(
        name="size",
        alt=f"Log loss of {len(data)} trials against their parameter count, {data['n_params'].min():,.0f} to "
        f"{data['n_params'].max():,.0f}; the best baseline at {baseline:.4f}.",
        caption="Loss against the measured number of parameters, within the tolerance of one budget: too narrow a "
        f"range to say anything about scaling. Trials far above are cut off; the base rate's loss is "
        f"{fixed(measured.base_rate_loss, 4)}.",
        data=data,
        draw=draw,
        height=3.2,
    )
