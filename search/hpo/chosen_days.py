"""What the days on which a study judges its trials could show, before the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pipeline.calendars import calendar_of
from pipeline.splits.splits import full_years
from search.results.class_counts import recorded_days
from search.results.detectable import what_days_show

if TYPE_CHECKING:
    from pipeline.datasets.dataset import DatasetVersion
    from search.study.plan import Plan
    from search.study.study import Study

TRAINING_YEARS = 3
"""Whole years that are left to train the first fold on."""


def years_for_folds(plan: Plan, dates_D: pd.DatetimeIndex) -> int:
    """Whole years before the test that could be forecast, each by a model of at least three years before it."""
    before = [year for year in full_years(dates_D, calendar_of(plan.data.ticker)) if year < plan.split.test_start.year]
    return max(0, len(before) - TRAINING_YEARS)


def plan_shows(plan: Plan, dates_D: pd.DatetimeIndex, n_days: int, base_rate: float) -> str:
    """Say which difference the chosen days could show, and which more folds would; empty if there are too few days."""
    if not 0 < base_rate < 1:
        return ""
    return what_days_show(n_days, plan.target.horizon, base_rate, years=years_for_folds(plan, dates_D))


def study_shows(study: Study, dataset: DatasetVersion) -> str:
    """Say it of a study, from what its run recorded; empty where it did not."""
    found = recorded_days(study.client.get_run(study.run_id))
    return "" if found is None else plan_shows(study.plan, dataset.dates, *found)
