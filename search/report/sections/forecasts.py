"""Section: the forecasts with their intervals, beside the base rate, the best baseline and the previous budget."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from search.evidence import Difference
from search.evidence.long_run import level_in_words
from search.report.inputs.study_inputs import StudyInputs
from search.report.layout.blocks import Block, Figure, Section, Table, Text
from search.report.layout.columns import (
    count,
    difference_columns,
    ends,
    interval,
    interval_columns,
    make_table,
    named,
    number,
)
from search.report.layout.format import fixed, short_name, with_interval
from search.report.layout.palette import Palette
from search.report.statistics.measure import Statistics

SHOWN_TRIALS = 10
METRICS = ("loss", "roc_auc", "brier")


def forecasts_section(inputs: StudyInputs, measured: Statistics, previous: tuple[str, Difference] | None) -> Section:
    """Show what every model scored, and the log loss less that of the best trial of the next smaller budget's study."""
    frame = forecast_table(inputs, measured)
    shown = frame[(frame["role"] == "baseline") | (frame["rank"] <= SHOWN_TRIALS)]
    compared = shown[shown["difference_value"].notna()]
    baseline = inputs.opponent
    blocks: list[Block] = [
        Text(
            text=f"Intervals are 95 %: {level_in_words(len(inputs.forecasts.y_D))}. Where a row's interval of the "
            f"difference holds 0, these days can't tell it from {baseline}."
        ),
        _difference_figure(compared, baseline),
        _score_table(shown, frame),
        _difference_table(compared, baseline),
    ]
    if previous is not None:
        blocks.append(Text(text=previous_in_words(*previous), lead="Against the next smaller budget."))
    blocks.append(
        Text(
            text="Smallest detectable: the true difference that this many days would show in 80 of 100 cases, at 5 %, "
            "two-sided. A smaller one is not refuted by these days, it is beyond them.",
            tone="method",
        )
    )
    return Section(slug="forecasts", title="What the forecasts score", short="Forecasts", blocks=tuple(blocks))


def forecast_table(inputs: StudyInputs, measured: Statistics) -> pd.DataFrame:
    """One row a model, by loss: scores, base-rate loss, and difference to the best baseline, with intervals."""
    forecasts = inputs.forecasts
    rows = []
    for name, role, run_id, n_params in zip(
        forecasts.names, forecasts.roles, forecasts.run_ids, forecasts.n_params, strict=True
    ):
        scores = measured.intervals[name]
        rows.append(
            {
                "model": name,
                "role": role,
                "run_id": run_id,
                "n_params": n_params,
                **{k: v for metric in METRICS for k, v in interval_columns(metric, scores[metric]).items()},
                "base_rate_loss": measured.base_rate_loss,
                "skill": 1 - scores["loss"].value / measured.base_rate_loss,
                **difference_columns(measured.against_baseline.get(name)),
                "in_confidence_set": name in measured.confidence_set,
            }
        )
    frame = pd.DataFrame(rows).astype({"n_params": "Int64"}).sort_values("loss", kind="stable", ignore_index=True)
    trials = frame["role"] == "trial"
    frame.insert(1, "rank", trials.cumsum().where(trials).astype("Int64"))
    return frame


def previous_in_words(other: str, found: Difference) -> str:
    """Say whether this budget's best trial is better than the smaller one's."""
    if found.high < 0:
        verdict = "the larger budget is better on these days, the choice of the best of each not allowed for"
    elif found.low > 0:
        verdict = "the larger budget is worse on these days"
    else:
        verdict = "these days can't tell the two budgets apart"
    return (
        f"This best trial less the best of {other}: {with_interval(found, 4, sign=True)} log loss; smallest detectable "
        f"{fixed(found.detectable, 4)}. So {verdict}."
    )


def _score_table(shown: pd.DataFrame, frame: pd.DataFrame) -> Table:
    n_trials = int((frame["role"] == "trial").sum())
    return make_table(
        "forecasts",
        f"Scores with 95 % intervals, lowest loss first: the {min(n_trials, SHOWN_TRIALS)} best of {n_trials} "
        "trials, and every baseline (marked). Skill is the share of the base rate's loss that is avoided. All trials:",
        {
            "model": named("model"),
            "parameters": count("n_params"),
            "AUC": interval("roc_auc", 3),
            "log loss": interval("loss", 4),
            "base-rate loss": number("base_rate_loss", 4),
            "skill": number("skill", 3, sign=True),
            "Brier": interval("brier", 4),
        },
        frame,
        shown=shown,
    )


def _difference_table(compared: pd.DataFrame, baseline: str) -> Table:
    return make_table(
        "differences",
        f"Log loss less that of {baseline}, the best baseline, on the same days; below 0 is better. p is "
        "one-sided and of the row alone: it does not know how many trials there were.",
        {
            "model": named("model"),
            "difference": number("difference_value", 4, sign=True),
            "95 % interval": ends("difference", 4, sign=True),
            "smallest detectable": number("difference_detectable", 4),
            "p": number("difference_p_value", 3),
            "among the best?": lambda row: "yes" if row["in_confidence_set"] else "no",
        },
        compared,
    )


def _difference_figure(data: pd.DataFrame, baseline: str) -> Figure:
    trials = data[data["role"] == "trial"]
    n_better = int((trials["difference_high"] < 0).sum())

    def draw(canvas: Canvas, palette: Palette) -> None:
        axes = canvas.subplots()
        detectable = float(trials["difference_detectable"].iloc[0])
        if math.isfinite(detectable):
            axes.axvspan(-detectable, detectable, color=palette.line, alpha=0.55, lw=0)
        axes.axvline(0, color=palette.faint, lw=1)
        for height, row in enumerate(data.iloc[::-1].to_dict("records")):
            marker, colour = ("o", palette.model) if row["role"] == "trial" else ("s", palette.baseline)
            axes.plot([row["difference_low"], row["difference_high"]], [height, height], color=colour)
            axes.plot(row["difference_value"], height, marker, color=colour, ms=5)
        axes.set_yticks(range(len(data)), [short_name(name) for name in data["model"].iloc[::-1]], fontsize=8.5)
        axes.grid(axis="y", visible=False)
        axes.set(xlim=_difference_limits(data, detectable), xlabel=f"log loss less {baseline}'s  (left is better)")

    return Figure(
        name="differences",
        alt=f"Differences in log loss to {baseline} with 95 % intervals for the best trials and the other baselines; "
        f"{n_better} of the {len(trials)} trials shown lie wholly on the better side.",
        caption=f"Difference in daily log loss to {baseline}, with 95 % intervals: trials as dots, other baselines as "
        f"squares. The grey band is what these days can't show: a true difference inside it would often be missed. "
        f"{n_better} of {len(trials)} trials shown lie wholly left of 0.",
        data=data,
        draw=draw,
        height=1.3 + 0.27 * len(data),
    )


def _difference_limits(data: pd.DataFrame, detectable: float) -> tuple[float, float]:
    """Wide enough for every trial; a hopeless baseline may be cut off."""
    trials = data[data["role"] == "trial"]
    low = np.nanmin([*trials["difference_low"], *trials["difference_value"], -detectable])
    high = np.nanmax([*trials["difference_high"], *data["difference_value"], detectable])
    return 1.08 * float(low), 1.08 * float(high)
