"""The study's lowest-loss trial, walked forward, against the best baseline: what a verdict may say of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.baselines import BASELINES
from pipeline.splits.splits import MIN_EVALUATION_DAYS
from search.evidence import Difference, Forecasts
from search.report.inputs.study_inputs import StudyInputs
from search.report.layout.format import short_name
from search.tracking.tags import BASELINE_ROLE, TRIAL_ROLE
from search.walk_forward.tables import span, without_years
from search.walk_forward.walk import overlap_years


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkedTrial:
    """The study's lowest-loss trial against the best walked baseline, on years that did not choose its setting.

    Parameters
    ----------
    trial, name, opponent, days : str
        Number of the trial, name under which it was walked, the baseline, and which days.
    difference : Difference
        Log loss of the trial less that of the baseline.
    """

    trial: str
    name: str
    opponent: str
    days: str
    difference: Difference


def walked_best(inputs: StudyInputs) -> WalkedTrial | str | None:
    """Compare the trial that the validation days chose, where it and every baseline were walked forward.

    The best of several walked specs would have been chosen on the days that judge it, so no other one will do.

    Returns
    -------
    WalkedTrial, str or None
        Why it can't be compared, where it can't; None if nothing was walked forward.
    """
    walked = inputs.walked
    if walked is None:
        return None
    trials = inputs.trials
    best = trials.best(TRIAL_ROLE)
    trial, row = " ".join(trials.names[best].split()[:2]), chosen_row(inputs)
    if row is None:
        return (
            f"{trial}, the lowest loss, was not walked forward over these years; "
            f"patchscale walkforward {trials.run_ids[best]} does it."
        )
    if missing_baselines(walked):
        return missing_in_words(inputs, walked)
    shown, optimistic = unbiased(inputs, walked)
    if optimistic and shown is walked:
        return f"fewer than {MIN_EVALUATION_DAYS} days are of years that did not choose the setting."
    other = shown.best(BASELINE_ROLE)
    return WalkedTrial(
        trial=trial,
        name=short_name(shown.names[row]),
        opponent=short_name(shown.names[other]),
        days=span(shown),
        difference=shown.difference(row, other),
    )


def chosen_row(inputs: StudyInputs) -> int | None:
    """Row of the study's lowest-loss trial among what was walked, known by its spec; None if it was not."""
    assert inputs.walked is not None
    trials = inputs.trials
    chosen = inputs.specs[trials.run_ids[trials.best(TRIAL_ROLE)]].hash
    specs = [inputs.walked_specs.get(run_id) for run_id in inputs.walked.run_ids]
    return specs.index(chosen) if chosen in specs else None


def missing_baselines(walked: Forecasts) -> list[str]:
    """Names of the baselines that were not walked over the same years."""
    return [name for name in BASELINES if f"{BASELINE_ROLE} {name}" not in walked.names]


def missing_in_words(inputs: StudyInputs, walked: Forecasts) -> str:
    """Say which baselines were not walked, and how they are."""
    missing = ", ".join(map(short_name, missing_baselines(walked)))
    years = walked.dates_D.year
    return (
        f"not every baseline was walked over these years ({missing} missing), so the best of them is unknown; "
        f"patchscale walkforward baselines --study {inputs.name} --first-year {years.min()} --last-year "
        f"{years.max()} does it."
    )


def unbiased(inputs: StudyInputs, walked: Forecasts) -> tuple[Forecasts, list[int]]:
    """Leave out the years that chose the setting, which are returned, where at least 200 days remain."""
    years = [int(year) for year in np.unique(walked.dates_D.year)]
    optimistic = overlap_years(inputs.plan.split, years)
    clean = without_years(walked, optimistic)
    return (clean if optimistic and len(clean.dates_D) >= MIN_EVALUATION_DAYS else walked), optimistic
