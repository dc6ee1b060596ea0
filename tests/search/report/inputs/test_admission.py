from dataclasses import replace

import numpy as np
import pytest

from pipeline.exceptions import InputError, StoreError
from search.report.inputs.admission import open_studies, require_comparable, require_trials


@pytest.mark.parametrize("names", [["nothing"], ["it's nothing"]])
def test_a_study_that_is_not_there_is_refused(stores, names):
    with pytest.raises(StoreError, match="study must be one that patchscale made"):
        open_studies(stores, names)


def test_a_study_without_a_finished_trial_is_refused(stores, make_study):
    name = make_study(2).plan.study
    with pytest.raises(InputError, match="needs at least one finished trial"):
        open_studies(stores, [name])
    with pytest.raises(InputError, match="each study must be named once"):
        open_studies(stores, [name, name])


@pytest.mark.lesson("L9")
def test_a_dry_run_and_whatever_was_only_imported_is_refused(home, stores, command):
    (home / "old.csv").write_text(
        "timestamp,experiment,budget,horizon,run_type,status,val_loss\n"
        ",phase6a_2M_h1_threshold_1pct,2M,1,dry_run,success,0.33\n"
    )
    code, _, error = command("import", "old.csv")
    assert code == 0, error
    with pytest.raises(
        StoreError, match=r"got the imported study phase6a_2M_h1_threshold_1pct, which has none, dry runs"
    ):
        open_studies(stores, ["phase6a_2M_h1_threshold_1pct"])
    code, out, error = command("report", "phase6a_2M_h1_threshold_1pct")
    assert (code, out) == (2, "")
    assert "a report needs forecasts by day" in error


def test_studies_of_other_days_or_questions_do_not_share_a_page(make_inputs, planned):
    first = make_inputs(n_trials=2)
    require_comparable([first, make_inputs(n_trials=3)])
    plan = replace(first.plan, study="other", target=replace(first.plan.target, horizon=3))
    with pytest.raises(InputError, match="must share their target"):
        require_comparable([first, replace(first, plan=plan)])
    with pytest.raises(InputError, match="same days and outcomes"):
        require_comparable([first, make_inputs(n_trials=2, n_days=390)])
    flipped = replace(first.forecasts, y_D=1 - first.forecasts.y_D)
    with pytest.raises(InputError, match="same days and outcomes"):
        require_comparable([first, replace(first, forecasts=flipped)])


def test_baselines_alone_make_no_report(make_inputs):
    inputs = make_inputs(n_trials=2)
    require_trials(inputs)
    with pytest.raises(InputError, match="needs a finished, valid trial with predictions"):
        require_trials(replace(inputs, forecasts=inputs.baselines))
    assert np.isfinite(inputs.forecasts.p_MD).all()
