"""Pictures of the distribution's section: the fan of the last days, every threshold, where outcomes lie."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from pipeline.splits.target import Target
from search.report.layout.blocks import Figure
from search.report.layout.format import plural
from search.report.layout.palette import Palette
from search.report.statistics.distribution import HorizonForecasts, Uniformity

SHOWN_DAYS = 60
INNER, OUTER = ("q25", "q75"), ("q05", "q95")


def price_in_words(target: Target) -> str:
    """Name what a distribution is of."""
    return f"the highest {'price' if target.rule == 'high' else target.rule} of {_days(target.horizon)}"


def _days(horizon: int) -> str:
    return "the next day" if horizon == 1 else f"the next {horizon} days"


def asked_in_words(target: Target) -> str:
    """Write the asked threshold."""
    return f"{target.threshold * 100:+g} %"


def fan_figure(asked: HorizonForecasts, target: Target) -> Figure:
    """Draw the bands of the last days, and what came."""
    data = asked.rises().tail(SHOWN_DAYS).reset_index(drop=True)
    inside = {
        low: int(data["came"].between(data[low], data[high]).sum()) for low, high in (("q05", "q95"), ("q25", "q75"))
    }

    def draw(canvas: Canvas, palette: Palette) -> None:
        axes = canvas.subplots()
        days = np.arange(len(data))
        for (low, high), alpha, label in ((OUTER, 0.18, "90 %"), (INNER, 0.36, "50 %")):
            band, colour = (data[low], data[high]), palette.model
            axes.fill_between(days, band[0], band[1], label=label, step="mid", color=colour, alpha=alpha, lw=0)
        axes.step(days, data["q50"], color=palette.model, lw=1.6, where="mid", label="median")
        axes.axhline(
            100 * target.threshold, color=palette.baseline, ls="--", lw=1.3, label=f"asked, {asked_in_words(target)}"
        )
        axes.plot(days, data["came"], "o", color=palette.ink, ms=3.6, mew=0, label="came")
        _dated(axes, data["date"])
        axes.set(ylabel="% of the close", xlim=(-0.8, len(data) - 0.2))
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=5, columnspacing=1.0, handlelength=1.4)

    days = plural(len(data), "day")
    return Figure(
        name="reach_fan",
        alt=f"Fan of the last {days}: median, 50 % and 90 % bands of {price_in_words(target)} in percent of the "
        f"close, and what came: {inside['q25']} days inside the inner band, {inside['q05']} inside the outer.",
        caption=f"The last {days}: each column is what was said in the evening about {price_in_words(target)}, in "
        f"percent of that day's close; half of the dots should lie in the dark band ({inside['q25']} of {len(data)} "
        f"do), nine of ten in the light one ({inside['q05']}). A dot on or above the dashed line is a day that "
        f"reached {asked_in_words(target)}.",
        data=data,
        draw=draw,
        height=3.9,
    )


def _dated(axes: Axes, dates: pd.Series) -> None:
    """Name about five of the days below the axis."""
    places = np.unique(np.linspace(0, len(dates) - 1, 5).round().astype(int))
    axes.set_xticks(places, [f"{dates.iloc[place]:%d %b %Y}" for place in places], fontsize=8)


def threshold_figure(data: pd.DataFrame, target: Target) -> Figure:
    """Draw mean probability and share of days by threshold."""
    shown = data.assign(percent=100 * data["threshold"])

    def draw(canvas: Canvas, palette: Palette) -> None:
        axes = canvas.subplots()
        known = shown["low"].notna()
        bars = [(shown["share"] - shown["low"])[known], (shown["high"] - shown["share"])[known]]
        where = shown["percent"]
        axes.errorbar(where[known], shown["share"][known], bars, fmt="none", color=palette.ink, lw=1.3, capsize=3)
        axes.plot(where, shown["share"], "o", color=palette.ink, ms=5, label="days that reached it")
        axes.plot(
            where, shown["mean_p"], "D-", color=palette.model, ms=4.5, lw=1.4, alpha=0.85, label="mean probability"
        )
        axes.axvline(100 * target.threshold, color=palette.baseline, ls="--", lw=1.2, label="asked")
        axes.set(xlabel="rise, % of the close", ylabel="share of days", ylim=(0, None))
        axes.set_xticks(where, [f"{each:g}" for each in where], fontsize=9)
        axes.legend(loc="upper right")

    worst = float((data["mean_p"] - data["share"]).abs().max())
    return Figure(
        name="reach_calibration",
        alt=f"Mean probability and share of days by threshold, with 95 % intervals; largest gap {worst:.3f}.",
        caption=f"Every threshold from one model: the probability said on average, and the share of days on which "
        f"{price_in_words(target)} rose so far, with its 95 % interval. A diamond outside the bar is miscalibrated "
        "there.",
        data=data,
        draw=draw,
        height=3.6,
    )


def pit_figure(found: Uniformity, horizon: int) -> Figure:
    """Draw the histogram of the integral transform with its band."""
    data = found.bins

    def draw(canvas: Canvas, palette: Palette) -> None:
        axes = canvas.subplots()
        middle = (data["low"] + data["high"]) / 2
        axes.bar(middle, data["share"], 0.094, color=palette.model, alpha=0.55, label="share of the days")
        edges = [*data["low"], float(data["high"].iloc[-1])]
        for end, label in (("band_low", "95 % of true ones lie between"), ("band_high", None)):
            axes.stairs(data[end], edges, baseline=None, color=palette.baseline, lw=1.6, label=label)
        axes.axhline(1 / len(data), color=palette.faint, lw=1)
        axes.set(xlabel="share of the distribution below what came", ylabel="share of days", xlim=(0, 1))
        axes.set_ylim(0, 1.3 * float(max(data["share"].max(), data["band_high"].max())))
        axes.legend(loc="upper center", ncols=2)

    return Figure(
        name="reach_pit",
        alt=f"Histogram of the probability integral transform, {plural(horizon, 'day')} ahead; deviation from uniform "
        f"{found.deviation:.3f}, limit {found.limit:.3f}.",
        caption="The probability integral transform. Bars within the band: outcomes fall everywhere into their "
        "distributions as often as they should. High at both ends: the distributions are too narrow; high in the "
        "middle: too wide; rising: the price went farther than said.",
        data=data,
        draw=draw,
        height=3.2,
    )
