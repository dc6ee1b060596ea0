import numpy as np
import pandas as pd
import pytest

from pipeline.exceptions import RecordError
from search.registry.holdout.sealed_days import compare_on_days, score_test_days, sealed_windows
from search.results.holdout import record_opening

MODEL = "patchscale-^GSPC-h1"


def test_the_version_is_held_against_every_other_and_the_hardest_is_named():
    rng = np.random.default_rng(0)
    y = (rng.random(400) < 0.2).astype(float)
    said = {"version": np.full(400, 0.2), "poor": np.full(400, 0.6), "good": np.clip(0.2 + 0.3 * (y - 0.2), 0.01, 0.99)}
    found = compare_on_days(pd.bdate_range("2017-01-02", periods=400), y, said, horizon=1)
    assert list(found.table) == ["date", "y", "p", "p_poor", "p_good"]
    assert found.best_baseline == "good" and found.differences["good"].value > 0 > found.differences["poor"].value
    assert set(found.scores) == {"version", "poor", "good"}


@pytest.mark.lesson("L22")
def test_baselines_are_fitted_to_the_rows_of_the_version(study, planned):
    constant = pd.Series(0.2, index=planned[1].dates)
    opening = record_opening(study, f"{MODEL}/1")
    scored = [score_test_days(study, constant, as_is=as_is, opening=opening) for as_is in (True, False)]
    rates = [each.table["p_base_rate"].iloc[0] for each in scored]
    windows = sealed_windows(study)
    through_validation = np.arange(windows.rows.train[0], windows.rows.validation[-1] + 1)
    assert rates[0] == pytest.approx(windows.outcomes(windows.train_rows).mean())
    assert rates[1] == pytest.approx(windows.outcomes(through_validation).mean())


def test_a_version_that_leaves_out_a_day_is_refused(study, planned):
    short = pd.Series(0.2, index=planned[1].dates[:-100])
    opening = record_opening(study, f"{MODEL}/1")
    with pytest.raises(RecordError, match=r"a version must forecast every test day, 99 are missing, first 2018-08-0"):
        score_test_days(study, short, as_is=True, opening=opening)
