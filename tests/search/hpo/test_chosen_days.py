from dataclasses import replace
from types import SimpleNamespace

import pytest

from search.hpo.chosen_days import plan_shows, study_shows, years_for_folds
from search.results.detectable import what_days_show


@pytest.mark.lesson("L47")
def test_a_plan_says_what_its_days_show_and_what_the_years_before_its_test_would(planned):
    plan, dataset, _ = planned
    first, test = dataset.dates[0].year, plan.split.test_start.year
    years = years_for_folds(plan, dataset.dates)
    assert first + years + 3 <= test <= first + years + 4
    assert years_for_folds(plan, dataset.dates[-400:]) == 0
    said = plan_shows(plan, dataset.dates, 502, 0.25)
    assert said == what_days_show(502, plan.target.horizon, 0.25, years=years)
    assert f"--folds {min(years, 8)} would show" in said
    assert plan_shows(plan, dataset.dates, 502, 0.0) == plan_shows(plan, dataset.dates, 8, 0.2) == ""


def test_a_study_says_it_from_its_record_and_is_silent_without(planned):
    plan, dataset, _ = planned
    run = SimpleNamespace(data=SimpleNamespace(metrics={}))
    study = SimpleNamespace(plan=plan, run_id="1", client=SimpleNamespace(get_run=lambda run_id: run))
    assert study_shows(study, dataset) == ""
    run.data.metrics |= {"data/days_validation": 502.0, "data/base_rate_validation": 0.2}
    assert study_shows(study, dataset) == plan_shows(plan, dataset.dates, 502, 0.2)
    other = replace(plan, target=replace(plan.target, horizon=5))
    assert "apart by" in plan_shows(other, dataset.dates, 502, 0.2) != plan_shows(plan, dataset.dates, 502, 0.2)
