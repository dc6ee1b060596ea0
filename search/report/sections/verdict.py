"""The first screen: the question, the answer in sentences made from the figures, and what must be said with it."""

from __future__ import annotations

import math

from search.evidence import Difference, Interval
from search.report.inputs.study_inputs import StudyInputs
from search.report.inputs.walked_trial import WalkedTrial
from search.report.layout.format import between, fixed, p_text, plural, short_name, signed, with_interval
from search.report.layout.page import Head, Number, Verdict
from search.report.statistics.measure import Statistics
from search.results.class_counts import counts_in_words

SIGNIFICANT = 0.05


def page_head(inputs: StudyInputs, measured: Statistics, walked: WalkedTrial | str | None = None) -> Head:
    """Make the first screen of a study, of its walk-forward too, or of why that can't be compared."""
    plan, dates, y_D = inputs.plan, inputs.forecasts.dates_D, inputs.forecasts.y_D
    return Head(
        study=inputs.name,
        title=f"{plan.data.ticker}: does a Transformer of {plan.budget} parameters foresee "
        f"{plan.target.threshold * 100:+g} % within {plural(plan.target.horizon, 'day')}?",
        question=f"Will the {plan.target.rule} reach the close {plan.target.threshold * 100:+g} % within "
        f"{plural(plan.target.horizon, 'trading day')}, and does the best PatchTST architecture of {plan.budget} "
        f"parameters (±{plan.tolerance * 100:g} %) say so better than simple baselines?",
        verdict=judge(inputs, measured, walked),
        numbers=_numbers(inputs, measured),
        cautions=_cautions(inputs),
        facts=(
            ("Days shown", f"{len(dates)} validation days, {dates[0].date()} to {dates[-1].date()}"),
            (
                "Base rate",
                f"{100 * y_D.mean():.1f} % of the days were positive: {counts_in_words(len(y_D), int(y_D.sum()))}",
            ),
            ("Sealed test", _openings(inputs)),
            ("Trials", f"{len(inputs.trials.names)} of {inputs.target_trials} finished"),
            ("Data", f"source {plan.data.source}, tier {plan.data.tier}, dataset {plan.data.dataset}"),
            ("Code", ", ".join(f"{commit} ({plural(n, 'trial')})" for commit, n in inputs.code.items())),
        ),
        footer="Made by patchscale report from the MLflow record alone; the same record gives the same page.",
    )


def judge(inputs: StudyInputs, measured: Statistics, walked: WalkedTrial | str | None = None) -> Verdict:
    """Say in plain sentences what the study comes to; a walk-forward has the last word."""
    forecasts, selection = inputs.forecasts, measured.selection
    best = forecasts.best("trial")
    loss = forecasts.losses_MD[best].mean()
    difference = measured.against_baseline[forecasts.names[best]]
    skill = 1 - loss / measured.base_rate_loss if measured.base_rate_loss else float("nan")
    said = answer(difference, measured.superiority.p_value, inputs.opponent, len(inputs.trials.names))
    return Verdict(
        answer=f"{said} {last(walked)}" if isinstance(walked, WalkedTrial) else said,
        reasons=(
            f"Best of {plural(selection.n_models, 'trial')}: AUC {fixed(selection.raw, 3)} raw, "
            f"{fixed(selection.corrected, 3)} corrected for having been chosen. Against {inputs.opponent}, the best "
            f"baseline: {with_interval(difference, 4, sign=True)} log loss (below 0 "
            f"is better); the smallest difference that these {difference.n_days} days could have shown is "
            f"{fixed(difference.detectable, 4)}.",
            f"Lowest loss: {short_name(forecasts.names[best])}, {fixed(loss, 4)} against "
            f"{fixed(measured.base_rate_loss, 4)} of always saying the base rate (skill {signed(skill, 3)}).",
            *([] if walked is None else [walked_in_words(walked)]),
        ),
    )


def last(walked: WalkedTrial) -> str:
    """Say how a walk-forward ended."""
    found = walked.difference
    ended = "is worse than" if found.low > 0 else "is better than" if found.high < 0 else "can't be told from"
    return f"Walked forward, its lowest-loss trial ({walked.trial}) {ended} the {walked.opponent} baseline."


def walked_in_words(walked: WalkedTrial | str) -> str:
    """Give the figures of a walk-forward, or say why there are none."""
    if isinstance(walked, str):
        return f"A walk-forward is on this page, but the verdict does not rest on it: {walked}"
    found = walked.difference
    return (
        f"Walked forward over years that did not choose the setting, {walked.days}: {walked.name} less "
        f"{walked.opponent} {with_interval(found, 4, sign=True)} log loss; smallest detectable "
        f"{fixed(found.detectable, 4)}."
    )


def answer(difference: Difference, p_value: float, opponent: str, n_trials: int) -> str:
    """Choose the sentence that the loss less the baseline's, and the p-value of all trials together, allow.

    Examples
    --------
    >>> found = Difference(metric="loss", value=-0.001, low=-0.006, high=0.004, p_value=0.3, detectable=0.007,
    ...                    n_days=502, block=3)
    >>> answer(found, 0.4, "boosting", 50)
    'No evidence that the search beats the boosting baseline.'
    """
    if math.isnan(difference.p_value):
        return f"No evidence that the search beats the {opponent} baseline: too few days of a class for an interval."
    if difference.low > 0:
        return f"The search does not beat the {opponent} baseline: its best trial is worse on these days."
    if difference.high >= 0:
        return f"No evidence that the search beats the {opponent} baseline."
    if p_value < SIGNIFICANT:
        edge = ", by less than so many days show reliably" if abs(difference.value) < difference.detectable else ""
        return (
            f"The search beats the {opponent} baseline on these days{edge}, all {plural(n_trials, 'trial')} counted "
            f"({p_text(p_value)})."
        )
    return (
        f"No evidence that the search beats the {opponent} baseline: taken alone its best trial looks better, but not "
        f"once all {plural(n_trials, 'trial')} are counted ({p_text(p_value)})."
    )


def _numbers(inputs: StudyInputs, measured: Statistics) -> tuple[Number, ...]:
    found, forecasts, gain = measured.selection, inputs.forecasts, measured.auc_against_baseline
    aucs = {name: intervals["roc_auc"] for name, intervals in measured.intervals.items()}
    raw = max((aucs[name] for name in inputs.trials.names), key=lambda auc: auc.value)
    baseline = aucs[forecasts.names[forecasts.best("baseline")]]
    corrected = Interval(value=found.corrected, low=found.corrected_low, high=found.corrected_high)
    return (
        _number("AUC, raw", raw, f"best of {found.n_models}, on the days that chose it"),
        _number("AUC, corrected", corrected, "chosen on some days, scored on others"),
        _number("AUC, best baseline", baseline, inputs.opponent),
        _number(
            "AUC gained, raw",
            gain,
            f"lowest-loss trial less {inputs.opponent}; smallest detectable {fixed(gain.detectable, 3)}",
            sign=True,
        ),
    )


def _number(what: str, found: Interval | Difference, more: str, *, sign: bool = False) -> Number:
    write = signed if sign else fixed
    return Number(
        what=what, value=write(found.value, 3), more=f"{between(found.low, found.high, 3, sign=sign)}: {more}"
    )


def _cautions(inputs: StudyInputs) -> tuple[str, ...]:
    split = inputs.plan.split
    lines = [
        f"The days shown, {split.validation_start} to {split.validation_end}, chose the model: "
        f"{'' if inputs.plan.n_folds else 'the epoch of every trial, '}the best trial, perhaps the settings of the "
        "study. Every raw figure flatters."
    ]
    if inputs.plan.n_folds:
        lines.append(
            f"They are {plural(inputs.plan.n_folds, 'year')}, each forecast by models that know the years before it."
        )
    n_finished = len(inputs.trials.names)
    if n_finished < inputs.target_trials:
        lines.append(f"The study is not complete: {n_finished} of {inputs.target_trials} trials.")
    if any("with changes" in commit or commit == "unknown" for commit in inputs.code):
        lines.append(
            "Some trials were run by code with uncommitted or unknown changes; they can't be run again exactly."
        )
    if len(inputs.code) > 1:
        lines.append(f"The trials were run by {len(inputs.code)} versions of the code.")
    if inputs.influence.attention.decided_nothing:
        lines.append(f"{inputs.influence.attention.words[:1].upper()}{inputs.influence.attention.words[1:]}.")
    return tuple(lines)


def _openings(inputs: StudyInputs) -> str:
    split = inputs.plan.split
    opened = "never opened" if inputs.n_openings == 0 else f"opened {plural(inputs.n_openings, 'time')}"
    if inputs.n_openings_elsewhere:
        opened += f", and {plural(inputs.n_openings_elsewhere, 'time')} through other studies"
    return f"{opened}; {split.test_start} to {split.test_end} is not on this page"
