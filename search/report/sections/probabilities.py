"""Section: whether the probabilities mean what they say, and what calling days by them would bring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from search.report.inputs.study_inputs import StudyInputs
from search.report.layout.blocks import Figure, Section, Table, Text
from search.report.layout.columns import count, ends, interval, make_table, named, number
from search.report.layout.format import plural, short_name
from search.report.layout.palette import Palette
from search.report.statistics.measure import Statistics
from search.report.statistics.reliability import calibration_bins, reliability
from search.report.statistics.thresholds import FEW_CALLS, threshold_sweep


def probabilities_section(inputs: StudyInputs, measured: Statistics) -> Section:
    """Show the best trial's probabilities beside the best baseline's."""
    forecasts = inputs.forecasts
    rows = {role: forecasts.best(role) for role in ("trial", "baseline")}
    names = {role: short_name(forecasts.names[row]) for role, row in rows.items()}
    bins = pd.concat(
        [
            calibration_bins(forecasts.y_D, forecasts.p_MD[row], measured.counts_RD).assign(
                role=role, model=forecasts.names[row]
            )
            for role, row in rows.items()
        ],
        ignore_index=True,
    )
    sweep = threshold_sweep(forecasts.y_D, forecasts.p_MD[rows["trial"]], measured.counts_RD)
    rate = float(forecasts.y_D.mean())
    few = sweep[sweep["few"]]
    first_few = "no threshold" if few.empty else f"thresholds from {few['threshold'].min():.2f} on"
    blocks = (
        Text(text=calibration_in_words(bins[bins["role"] == "trial"], names["trial"]), lead="Calibration."),
        _calibration_figure(bins, names, rate),
        _reliability_table(inputs, rows.values()),
        Text(
            lead="Calling days.",
            text=f"Of calls on every day at or above a threshold, {first_few} rest on fewer than {FEW_CALLS} days, and "
            "say little. The thresholds were not chosen beforehand; picking the best row is choosing on the days "
            "shown.",
        ),
        _threshold_figure(sweep, rate, names["trial"]),
        _threshold_table(sweep, names["trial"]),
        Text(
            text="Intervals are 95 %: the outer ends of the stationary bootstrap's, which allows for days that depend "
            "on each other, and Wilson's (1927), which allows for shares near 0 and 1. Reliability and resolution are "
            "Murphy's (1973).",
            tone="method",
        ),
    )
    return Section(
        slug="probabilities",
        title="Do the probabilities mean what they say?",
        short="Probabilities",
        blocks=blocks,
    )


def calibration_in_words(bins: pd.DataFrame, name: str) -> str:
    """Say in how many bins the model's probability lies outside the interval of what happened."""
    high, low = int((bins["mean_p"] > bins["high"]).sum()), int((bins["mean_p"] < bins["low"]).sum())
    total = plural(len(bins), "bin")
    if not high + low:
        return f"In all {total} of {name} the probability lies within the interval of what happened."
    ways = [f"too {way} in {n}" for way, n in (("high", high), ("low", low)) if n]
    return (
        f"In {high + low} of {total} of {name} the probability lies outside the interval of what happened: "
        f"{' and '.join(ways)}. About one in twenty would by chance."
    )


def _calibration_figure(bins: pd.DataFrame, names: dict[str, str], rate: float) -> Figure:
    def draw(canvas: Canvas, palette: Palette) -> None:
        axes = canvas.subplots()
        top = 1.05 * float(max(bins["mean_p"].max(), bins["high"].max()))
        axes.plot([0, top], [0, top], color=palette.faint, lw=1)
        axes.axhline(rate, color=palette.faint, ls=":", lw=1.2)
        axes.annotate("base rate", (top, rate), xytext=(-2, 3), textcoords="offset points", ha="right", fontsize=9)
        styles = {"baseline": (palette.baseline, "s-", 0.55), "trial": (palette.model, "o-", 1.0)}
        for role, (colour, style, alpha) in styles.items():
            part = bins[bins["role"] == role]
            x, y = part["mean_p"], part["observed"]
            bars, label = [y - part["low"], part["high"] - y], names[role]
            axes.errorbar(x, y, bars, fmt=style, color=colour, ms=5, lw=1.3, alpha=alpha, label=label)
        axes.set(xlabel="probability said, mean of the bin", ylabel="share of days that were positive")
        axes.set(xlim=(0, top), ylim=(0, top))
        axes.legend(loc="upper left")

    worst = bins[bins["role"] == "trial"].assign(gap=lambda f: (f["mean_p"] - f["observed"]).abs())["gap"].max()
    return Figure(
        name="calibration",
        alt=f"Calibration curves of {names['trial']} and {names['baseline']}: share of positive days against the "
        f"probability said, with 95 % intervals. Largest gap of the trial {worst:.3f}; base rate {rate:.3f}.",
        caption="Calibration in ten bins of equally many days. On the diagonal, 30 % means 30 %; where an interval "
        "misses the diagonal, it does not.",
        data=bins,
        draw=draw,
        height=4.4,
    )


def _reliability_table(inputs: StudyInputs, rows: Iterable[int]) -> Table:
    names, y_D, p_MD = inputs.forecasts.names, inputs.forecasts.y_D, inputs.forecasts.p_MD
    return make_table(
        "reliability",
        "Brier score beside that of always saying the base rate. Reliability is what miscalibration costs (0 "
        "is calibrated), resolution what telling days apart gains (0 is the base rate's).",
        {
            "model": named("model"),
            "Brier": number("brier", 4),
            "base-rate Brier": number("base_rate_brier", 4),
            "reliability": number("reliability", 4),
            "resolution": number("resolution", 4),
        },
        pd.DataFrame([{"model": names[row], **asdict(reliability(y_D, p_MD[row]))} for row in rows]),
    )


def _threshold_figure(sweep: pd.DataFrame, rate: float, name: str) -> Figure:
    called = sweep[sweep["n_calls"] > 0]

    def draw(canvas: Canvas, palette: Palette) -> None:
        above, below = canvas.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
        _shares(above, called, palette)
        above.axhline(rate, color=palette.faint, ls=":", lw=1.2)
        above.set(ylabel="share", ylim=(0, 1.02))
        above.legend(loc="center right")
        colours = np.where(called["few"], palette.faint, palette.model).tolist()
        below.bar(called["threshold"], called["n_calls"], 0.03, color=colours)
        below.axhline(FEW_CALLS, color=palette.faint, ls="--", lw=1)
        below.set(yscale="log", ylabel="calls", xlabel="threshold")

    return Figure(
        name="thresholds",
        alt=f"Precision and recall of {name} with 95 % intervals, and the number of days called, by threshold.",
        caption="Precision (share of called days that were positive) and recall (share of positive days that were "
        "called). Hollow points and grey bars rest on fewer than 30 calls; the dotted line is the precision of calling "
        "every day.",
        data=sweep,
        draw=draw,
        height=4.4,
    )


def _shares(axes: Axes, called: pd.DataFrame, palette: Palette) -> None:
    for name, colour, marker in (("recall", palette.third, "s"), ("precision", palette.model, "o")):
        axes.fill_between(
            called["threshold"], called[f"{name}_low"], called[f"{name}_high"], color=colour, alpha=0.15, lw=0
        )
        axes.plot(called["threshold"], called[name], color=colour, label=name)
        for few, fill in ((False, colour), (True, palette.paper)):
            part = called[called["few"] == few]
            axes.plot(part["threshold"], part[name], marker, color=colour, mfc=fill, ms=5)


def _threshold_table(sweep: pd.DataFrame, name: str) -> Table:
    return make_table(
        "thresholds",
        f"{name}: days called, precision and recall with 95 % intervals, at every threshold that calls a day.",
        {
            "threshold": number("threshold", 2),
            "calls": count("n_calls"),
            "95 % interval": ends("n_calls", 0),
            "precision": interval("precision", 2),
            "recall": interval("recall", 2),
            "note": lambda row: "fewer than 30" if row["few"] else "",
        },
        sweep,
        shown=sweep[sweep["n_calls"] > 0],
    )
