"""Section: whether the search found anything, all its tries counted."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from search.evidence import Selection
from search.report.inputs.study_inputs import StudyInputs
from search.report.layout.blocks import Block, Figure, Section, Table, Text
from search.report.layout.drawing import label_line
from search.report.layout.format import between, fixed, p_text, plural, short_name
from search.report.layout.palette import Palette
from search.report.statistics.measure import Statistics, blocks_in_words

SIGNIFICANT = 0.05
MANY = 12
SELECTION = (
    *("metric", "raw", "corrected", "corrected_low", "corrected_high", "null_maximum", "null_p_value", "n_models"),
    *("smallest_p_value", "n_shifts", "n_independent"),
)


def reality_section(inputs: StudyInputs, measured: Statistics) -> Section:
    """Say what remains of the best trial once it is known that it is the best of many."""
    blocks: list[Block] = [
        Text(
            text=f"Among {plural(len(inputs.trials.names), 'trial')} one is best by luck alone. Five questions, each "
            f"put to all of them, not to the winner. Days are resampled {blocks_in_words(measured.block)}."
        ),
        Text(lead="Does any trial beat the best baseline?", text=superiority_in_words(inputs, measured)),
        Text(lead="Which models can't be told from the best?", text=confidence_set_in_words(inputs, measured)),
        Text(lead="What is the chosen one worth on other days?", text=selection_in_words(measured.selection)),
        Text(lead="What would luck score?", text=luck_in_words(measured.selection)),
        Text(lead="Does the choice carry over?", text=overfitting_in_words(measured.overfitting)),
        _auc_figure(inputs, measured),
        _test_table(measured),
        _selection_table(measured),
        Text(text=METHODS, tone="method"),
    ]
    return Section(slug="reality", title="Is the search real?", short="Is it real?", blocks=tuple(blocks))


def superiority_in_words(inputs: StudyInputs, measured: Statistics) -> str:
    """Say whether any trial beats the best baseline, and which."""
    found = measured.superiority
    answer = "Yes" if found.p_value < SIGNIFICANT else "Not shown"
    names = [short_name(inputs.trials.names[row]) for row in found.superior]
    named = (
        f"{plural(len(names), 'trial')} can be named as better with 5 % risk of a single wrong name: {_few(names)}"
        if names
        else "no single trial can be named as better"
    )
    return (
        f"{answer}. If none beat {inputs.opponent}, a best trial as far ahead of it as this one would come up with "
        f"{p_text(found.p_value)} (superior predictive ability, Hansen 2005); {named} (StepM, "
        "Romano and Wolf 2005)."
    )


def confidence_set_in_words(inputs: StudyInputs, measured: Statistics) -> str:
    """Say which models can't be told from the best."""
    forecasts = inputs.forecasts
    kept = [name for name in forecasts.names if name in measured.confidence_set]
    baselines = [short_name(name) for name in kept if not name.startswith("trial")]
    return (
        f"{len(kept) - len(baselines)} of {plural(len(inputs.trials.names), 'trial')}, and "
        f"{_few(baselines) or 'no baseline'} (model confidence set at 5 %, Hansen, Lunde and Nason 2011)."
    )


def selection_in_words(found: Selection) -> str:
    """Say what choosing the best is worth on days that did not choose it."""
    return (
        f"The best of {found.n_models} has AUC {fixed(found.raw, 3)} on the days that chose it. Chosen on resampled "
        f"days and scored on the days left out, the best has {fixed(found.corrected, 3)} on average, with a "
        f"95 % interval {between(found.corrected_low, found.corrected_high, 3)} (bootstrap bias-corrected selection, "
        "Tsamardinos, Greasidou and Borboudakis 2018). That is the figure to quote."
    )


def luck_in_words(found: Selection) -> str:
    """Say what the best of as many would score if outcomes had nothing to do with forecasts."""
    return (
        f"If outcomes had nothing to do with these forecasts, the best of {found.n_models} would have AUC "
        f"{fixed(found.null_maximum, 3)} on average, and reach {fixed(found.raw, 3)} with {p_text(found.null_p_value)}"
        f"{', the smallest that these days can resolve' if _is_smallest(found) else ''}: {_luck(found)}. Outcomes were "
        f"shifted against the forecasts in a ring, in {plural(found.n_shifts, 'way')} that are worth about "
        f"{plural(found.n_independent, 'independent draw')}, since neighbouring shifts score alike. That is luck "
        "against knowing nothing, not against the baseline."
    )


def overfitting_in_words(probability: float) -> str:
    """Say how often a choice on half of the days fails on the other half."""
    if not math.isfinite(probability):
        return "With one trial nothing was chosen."
    return (
        f"In {100 * probability:.0f} % of the ways to split the days in halves, the best trial of one half is among "
        "the worse half of the trials on the other (probability of backtest overfitting, Bailey, Borwein, López de "
        "Prado and Zhu 2017). 50 % is what choosing among equals gives."
    )


def _is_smallest(found: Selection) -> bool:
    return found.null_p_value <= found.smallest_p_value


def _luck(found: Selection) -> str:
    if found.null_p_value < SIGNIFICANT:
        return "it is more than luck"
    return "these days are too few to tell it from luck" if _is_smallest(found) else "luck alone explains it"


METHODS = (
    "All tests use daily log loss, the AUC ones excepted, and know only the trials of this study: settings that were "
    "tried elsewhere on the same days, and the choice of an epoch within each trial, are not counted, so every figure "
    "here still flatters."
)


def _few(names: list[str]) -> str:
    return ", ".join(names[:MANY]) + (f" and {len(names) - MANY} more" if len(names) > MANY else "")


def _auc_figure(inputs: StudyInputs, measured: Statistics) -> Figure:
    found, forecasts = measured.selection, inputs.forecasts
    scores = [measured.intervals[name]["roc_auc"].value for name in forecasts.names]
    data = pd.DataFrame(
        {
            "model": [*forecasts.names, "corrected best", "best without skill"],
            "role": [*forecasts.roles, "mark", "mark"],
            "roc_auc": [*scores, found.corrected, found.null_maximum],
        }
    )

    def draw(canvas: Canvas, palette: Palette) -> None:
        axes = canvas.subplots()
        trials = data[data["role"] == "trial"]["roc_auc"].to_numpy()
        opponent = scores[forecasts.best("baseline")]
        shown = np.array([*trials, found.corrected, opponent])
        low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
        room = max(high - low, 0.01)
        far = found.null_maximum < low - room
        low = low if far else min(low, found.null_maximum)
        axes.hist(trials, bins=min(20, max(5, len(trials))), color=palette.model, alpha=0.75)
        axes.set(xlim=(low - 0.12 * room, high + 0.12 * room), ylim=(None, 1.75 * axes.get_ylim()[1]))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        lines = [
            (opponent, inputs.opponent, palette.baseline, "--"),
            (found.corrected, "best, corrected", palette.third, "-"),
            (found.raw, "best, raw", palette.model, "-"),
        ]
        if far:
            box = {"fc": palette.paper, "ec": "none", "pad": 1.0}
            said = f"← best without skill, {found.null_maximum:.3f}"
            axes.annotate(said, (0.01, 0.6), xycoords="axes fraction", fontsize=9, bbox=box)
        else:
            lines.insert(0, (found.null_maximum, "best without skill", palette.faint, ":"))
        for row, (value, text, colour, style) in enumerate(lines):
            if math.isfinite(value):
                axes.axvline(value, color=colour, ls=style)
                label_line(axes, value, text, colour, row=row)
        axes.set(xlabel="AUC on the validation days", ylabel="trials")

    return Figure(
        name="auc",
        alt=f"Histogram of the AUC of {len(inputs.trials.names)} trials, with the raw best at {fixed(found.raw, 3)}, "
        f"the corrected best at {fixed(found.corrected, 3)} and the best without skill at "
        f"{fixed(found.null_maximum, 3)}.",
        caption="AUC of every trial. What counts is not how far the raw best lies to the right, but whether the "
        "corrected one is still right of the best baseline, and of what as many trials without skill would reach.",
        data=data,
        draw=draw,
    )


def _test_table(measured: Statistics) -> Table:
    found = measured.superiority
    figures = [
        ("superior predictive ability, consistent p", found.p_value, 3),
        ("the same, lower bound", found.p_lower, 3),
        ("the same, upper bound", found.p_upper, 3),
        ("trials named by StepM", float(len(found.superior)), 0),
        ("models in the confidence set", float(len(measured.confidence_set)), 0),
        ("probability of backtest overfitting", measured.overfitting, 3),
    ]
    return Table(
        name="tests",
        caption=f"Tests over all {found.n_models} trials against the best baseline.",
        head=("test", "figure"),
        rows=tuple((name, fixed(value, digits)) for name, value, digits in figures),
        data=pd.DataFrame([figure[:2] for figure in figures], columns=["figure", "value"]),
    )


def _selection_table(measured: Statistics) -> Table:
    pairs = (("AUC", measured.selection, 3), ("log loss", measured.loss_selection, 4))
    data = pd.DataFrame([{name: getattr(found, name) for name in SELECTION} for _, found, _ in pairs])
    rows = tuple(
        (
            text,
            fixed(found.raw, digits),
            fixed(found.corrected, digits),
            between(found.corrected_low, found.corrected_high, digits),
            fixed(found.null_maximum, digits),
            f"{fixed(found.null_p_value, 3)}{', smallest' if _is_smallest(found) else ''}",
        )
        for text, found, digits in pairs
    )
    return Table(
        name="selection",
        caption="The best trial before and after the correction for having been chosen. The base rate's loss on these "
        f"days is {fixed(measured.base_rate_loss, 4)}. A p marked smallest "
        "is the smallest that these days can resolve.",
        head=("metric", "raw", "corrected", "95 % of choices", "best without skill", "p against luck"),
        rows=rows,
        data=data,
    )
