"""Section: how far the price goes, as the best trial foresees it, beside what came."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipeline.splits.target import Target
from search.report.inputs.study_inputs import StudyInputs
from search.report.layout.blocks import Block, Section, Table, Text
from search.report.layout.columns import Cell, count, ends, interval_columns, make_table, number
from search.report.layout.format import between, fixed, plural, short_name
from search.report.sections.distribution_figures import (
    asked_in_words,
    fan_figure,
    pit_figure,
    price_in_words,
    threshold_figure,
)
from search.report.statistics.distribution import (
    Scores,
    Uniformity,
    calibration_over_thresholds,
    horizon_scores,
    horizons_of,
    uniformity,
)
from search.report.statistics.measure import Statistics
from search.results.class_counts import MIN_CLASS_DAYS


def distribution_section(inputs: StudyInputs, measured: Statistics) -> Section:
    """Show the best trial's predictive distributions, or say in a line why there are none."""
    return Section(
        slug="distribution",
        title="How far does the price go?",
        short="Distribution",
        blocks=tuple(_blocks(inputs, measured)),
    )


def _blocks(inputs: StudyInputs, measured: Statistics) -> list[Block]:
    forecasts, target = inputs.forecasts, inputs.plan.target
    best = forecasts.best("trial")
    name = short_name(forecasts.names[best])
    by_horizon = {} if inputs.distribution is None else horizons_of(inputs.distribution)
    asked = by_horizon.get(target.horizon)
    if asked is None or asked.table["date"].tolist() != forecasts.dates_D.tolist():
        return [Text(text=f"None: {name}, the best, {why_none(inputs)}.")]
    calibrated = calibration_over_thresholds(asked, measured.counts_RD, target.threshold)
    pits = {horizon: uniformity(each.integral_transform, horizon) for horizon, each in by_horizon.items()}
    scores = [horizon_scores(each, target.threshold, pits[horizon]) for horizon, each in by_horizon.items()]
    blend = inputs.specs[forecasts.run_ids[best]].training.blend
    return [
        Text(
            text=f"The best, {name}, says of every day how far {price_in_words(target)} may go, not only "
            f"{asked_in_words(target)} or not. What follows is the model's own distribution{_before(blend)}."
        ),
        fan_figure(asked, target),
        Text(lead="Over thresholds.", text=thresholds_in_words(calibrated, target)),
        threshold_figure(calibrated, target),
        _threshold_table(calibrated, target),
        Text(lead="Where outcomes lie.", text=pit_in_words(pits[target.horizon], target.horizon)),
        pit_figure(pits[target.horizon], target.horizon),
        Text(lead="Scores.", text=scores_in_words(next(each for each in scores if each.horizon == target.horizon))),
        _score_table(scores, target),
        Text(
            text="CRPS, the continuous ranked probability score, is the mean distance between the distribution and "
            "what came, in percent of the close; a single number's would be its absolute error, and lower is better. "
            "Climatology is what the training days reached, in units of each day's volatility, taken in the "
            "volatility of the day: it knows how restless the market is and nothing else. Intervals are made "
            "like those of differences of two models.",
            tone="method",
        ),
    ]


def why_none(inputs: StudyInputs) -> str:
    """Say why the best trial shows no distribution."""
    spec = inputs.specs[inputs.forecasts.run_ids[inputs.forecasts.best("trial")]]
    if spec.architecture.ahead:
        return "forecasts a distribution, but its record holds none of these days"
    return "has a binary head, which gives one probability a day and no distribution"


def thresholds_in_words(calibrated: pd.DataFrame, target: Target) -> str:
    """Say at how many thresholds the mean probability is what came."""
    known = calibrated[calibrated["low"].notna()]
    outside = known[(known["mean_p"] < known["low"]) | (known["mean_p"] > known["high"])]
    few = len(calibrated) - len(known)
    said = (
        f"At all {plural(len(known), 'threshold')} the mean probability lies within the interval of the share of days "
        f"that reached it within {plural(target.horizon, 'day')}."
        if outside.empty
        else f"At {len(outside)} of {plural(len(known), 'threshold')} the mean probability lies outside the interval "
        f"of the share of days that reached it within {plural(target.horizon, 'day')}: "
        + ", ".join(
            f"{row['threshold'] * 100:g} % ({100 * row['mean_p']:.1f} % said, {100 * row['share']:.1f} % came)"
            for row in outside.to_dict("records")
        )
        + ". About one in twenty would by chance."
    )
    return said + (f" {few} more carry no interval: fewer than {MIN_CLASS_DAYS} days of a class." if few else "")


def pit_in_words(found: Uniformity, horizon: int) -> str:
    """Say whether outcomes fall into the distributions as often as they should."""
    bins = found.bins
    outside = int(((bins["share"] < bins["band_low"]) | (bins["share"] > bins["band_high"])).sum())
    verdict = "as true distributions would have it" if found.holds else "farther than true distributions would have it"
    return (
        f"A tenth of the days should end in each tenth of their distribution. Within {plural(horizon, 'day')} the "
        f"largest distance from that, summed up from below, is {fixed(found.deviation, 3)}, {verdict} (95 % stay below "
        f"{fixed(found.limit, 3)}); {outside} of {len(bins)} bars lie outside their band."
    )


def scores_in_words(found: Scores) -> str:
    """Say whether the distribution tells more than the climatology."""
    less = found.less
    verdict = "better than" if less.high < 0 else "worse than" if less.low > 0 else "not to be told from"
    return (
        f"Within {plural(found.horizon, 'day')} the distribution is {verdict} the climatology on these days: CRPS "
        f"{fixed(found.crps, 4)} % of the close against {fixed(found.crps_climatology, 4)} %, difference "
        f"{between(less.low, less.high, 4, sign=True)}. The days chose the trial, which flatters it."
    )


def _before(blend: str) -> str:
    return "" if blend == "none" else f", before it is blended ({blend}) into the probabilities of the other sections"


def _threshold_table(data: pd.DataFrame, target: Target) -> Table:
    return make_table(
        "reach_calibration",
        f"The same in figures, within {plural(target.horizon, 'day')}; the asked threshold is marked. Fewer than "
        f"{MIN_CLASS_DAYS} days of a class carry no interval.",
        {
            "rise": lambda row: f"{100 * row['threshold']:g} %",
            "mean probability": number("mean_p", 3),
            "share that came": _with_ends("share", 3),
            "days": count("n_days"),
            "reached": count("n_reached"),
        },
        data,
        mark=lambda row: bool(row["asked"]),
    )


def _with_ends(name: str, digits: int) -> Cell:
    return lambda row: f"{number(name, digits)(row)} {between(row['low'], row['high'], digits)}"


def _score_table(scores: list[Scores], target: Target) -> Table:
    rows: list[dict[str, Any]] = [
        {
            "horizon": each.horizon,
            "n_days": each.n_days,
            "n_reached": each.n_reached,
            "crps": each.crps,
            "crps_climatology": each.crps_climatology,
            **interval_columns("less", each.less),
            "log_loss": each.log_loss,
            "base_rate_loss": each.base_rate_loss,
            "pit_deviation": each.pit.deviation,
            "pit_limit": each.pit.limit,
        }
        for each in scores
    ]
    return make_table(
        "reach_scores",
        f"Every horizon of the model; the asked one is marked. Log loss is that of {asked_in_words(target)} within so "
        "many days, by the distribution alone. The PIT's deviation is above its limit in 5 of 100 true distributions.",
        {
            "horizon": lambda row: plural(row["horizon"], "day"),
            "CRPS, %": number("crps", 4),
            "climatology's": number("crps_climatology", 4),
            "difference": lambda row: f"{number('less', 4, sign=True)(row)} {ends('less', 4, sign=True)(row)}",
            "log loss": number("log_loss", 4),
            "base-rate loss": number("base_rate_loss", 4),
            "PIT deviation": number("pit_deviation", 3),
            "its limit": number("pit_limit", 3),
            "days": count("n_days"),
        },
        pd.DataFrame(rows),
        mark=lambda row: row["horizon"] == target.horizon,
    )
