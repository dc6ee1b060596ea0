from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from model.metrics import evaluate
from search.report.sections.walk_forward import (
    pooled_frame,
    unbiased,
    walk_forward_section,
    walked_best,
    year_frame,
)


@pytest.fixture(scope="module")
def walked(make_material):
    forecasts = make_material(n_trials=2, n_days=1000).forecasts
    return replace(forecasts, dates_D=pd.bdate_range("2012-01-02", periods=1000))


def texts(section):
    return " ".join(block.text for block in section.blocks if block.kind == "text")


def test_years_that_chose_the_setting_are_starred_and_left_out(material, walked):
    section = walk_forward_section(material, walked, n_resamples=200)
    pooled, by_year = (block for block in section.blocks if block.kind == "table")
    years = sorted(set(walked.dates_D.year))
    split = material.plan.split
    chosen = [year for year in years if split.validation_start.year <= year <= split.validation_end.year]
    assert chosen and len(chosen) < len(years)
    assert [row[0] for row in by_year.rows] == [f"{year}{'*' * (year in chosen)}" for year in years]
    assert all(str(year) in texts(section) for year in chosen)
    n_clean = int((~np.isin(walked.dates_D.year, chosen)).sum())
    assert f"{n_clean:,} days" in pooled.caption


@pytest.mark.lesson("L18")
@pytest.mark.lesson("L23")
def test_every_year_and_model_has_its_figures(walked):
    frame = year_frame(walked)
    assert len(frame) == 4 * frame["year"].nunique()
    row = frame[(frame["year"] == 2013) & (frame["model"] == walked.names[1])].iloc[0]
    inside = walked.dates_D.year == 2013
    found = evaluate(walked.y_D[inside], walked.p_MD[1, inside])
    assert (row["loss"], row["base_rate_loss"], row["roc_auc"]) == (found.loss, found.base_rate_loss, found.roc_auc)
    pooled = pooled_frame(walked, n_resamples=200).set_index("model")
    assert pooled["difference_value"].isna().sum() == 1
    assert (pooled["difference_detectable"].dropna() > 0).all()


def test_the_best_walked_spec_is_compared_on_years_that_did_not_choose_it(material, walked):
    found = walked_best(replace(material, walked=walked), n_resamples=200)
    clean, optimistic = unbiased(material, walked)
    assert optimistic and not set(clean.dates_D.year) & set(optimistic)
    assert found.difference.n_days == len(clean.dates_D)
    assert found.opponent == "logistic" and found.name.startswith("trial")
    assert walked_best(material, n_resamples=200) is None
    assert walked_best(replace(material, walked=walked.of_role("trial")), n_resamples=200) is None
    late = walked.dates_D >= str(material.plan.split.validation_start)
    only = replace(walked, dates_D=walked.dates_D[late], y_D=walked.y_D[late], p_MD=walked.p_MD[:, late])
    assert walked_best(replace(material, walked=only), n_resamples=200) is None


def test_without_baselines_it_says_so(material, walked):
    section = walk_forward_section(material, walked.of_role("trial"), n_resamples=200)
    assert "No baseline was walked forward" in texts(section)
