from dataclasses import replace

import numpy as np
import pytest

from model.metrics import evaluate
from search.report.sections.walk_forward import (
    pooled_frame,
    walk_forward_section,
    year_frame,
)


def texts(section):
    return " ".join(block.text for block in section.blocks if block.kind == "text")


def test_years_that_chose_the_setting_are_starred_and_left_out(walked_inputs):
    inputs, walked = walked_inputs, walked_inputs.walked
    section = walk_forward_section(inputs, walked)
    pooled, by_year = (block for block in section.blocks if block.kind == "table")
    years = sorted(set(walked.dates_D.year))
    split = inputs.plan.split
    chosen = [year for year in years if split.validation_start.year <= year <= split.validation_end.year]
    assert chosen and len(chosen) < len(years)
    assert [row[0] for row in by_year.rows] == [f"{year}{'*' * (year in chosen)}" for year in years]
    assert all(str(year) in texts(section) for year in chosen)
    n_clean = int((~np.isin(walked.dates_D.year, chosen)).sum())
    assert f"{n_clean:,} days" in pooled.caption


@pytest.mark.lesson("L18")
@pytest.mark.lesson("L23")
def test_every_year_and_model_has_its_figures(walked_inputs):
    walked = walked_inputs.walked
    frame = year_frame(walked)
    assert len(frame) == len(walked.names) * frame["year"].nunique()
    row = frame[(frame["year"] == 2013) & (frame["model"] == walked.names[1])].iloc[0]
    inside = walked.dates_D.year == 2013
    found = evaluate(walked.y_D[inside], walked.p_MD[1, inside])
    assert (row["loss"], row["base_rate_loss"], row["roc_auc"]) == (found.loss, found.base_rate_loss, found.roc_auc)
    pooled = pooled_frame(walked).set_index("model")
    assert pooled["difference_value"].isna().sum() == 1
    assert (pooled["difference_detectable"].dropna() > 0).all()


@pytest.mark.slow
def test_what_is_missing_for_the_verdict_is_said(walked_inputs):
    walked = walked_inputs.walked
    said = texts(walk_forward_section(walked_inputs, walked))
    best = walked_inputs.trials.names[walked_inputs.trials.best("trial")]
    assert f"The verdict speaks of {best} alone" in said and "1 other spec beside it" in said
    assert "missing" not in said
    unknown = replace(walked_inputs, walked_specs={})
    assert "verdict says nothing" in texts(walk_forward_section(unknown, walked))
    alone = walk_forward_section(walked_inputs, walked.of_role("trial"))
    assert "Not every baseline was walked over these years (base rate, " in texts(alone) and not alone.figures
