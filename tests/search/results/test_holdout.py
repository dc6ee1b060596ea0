from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from model.windows import make_windows
from pipeline.exceptions import RecordError, SealedError
from search.results import holdout
from search.results.holdout import (
    count_openings,
    count_version_openings,
    holdout_in_words,
    record_opening,
    sealed_by_others,
)

NAME = "patchscale-test-h1"
NAMED = "patchscale-^GSPC-h1"


def _later(split):
    """A split whose test days begin after those of another end."""
    return replace(split, test_start=split.test_end + timedelta(days=1), test_end=split.test_end + timedelta(days=9))


@pytest.fixture
def study(make_study):
    study = make_study(1)
    study.client.create_registered_model(NAME)
    for _ in range(2):
        study.client.create_model_version(NAME, source=f"runs:/{study.run_id}/model", run_id=study.run_id)
    return study


@pytest.mark.lesson("L22")
def test_each_opening_is_on_the_version_and_on_the_study(study):
    assert count_openings(study) == 0
    for number, version in enumerate(("1", "2", "1"), start=1):
        opening = record_opening(study, f"{NAME}/{version}")
        assert count_openings(study) == number
        assert holdout.holdout_openings(study)[-1] == opening
        assert opening.model_version == f"{NAME}/{version}" and opening.commit and opening.opened_at
    assert [count_version_openings(study.client, f"{NAME}/{version}") for version in "12"] == [2, 1]
    assert study.client.get_run(study.run_id).data.tags["test.openings"] == "3"


@pytest.mark.lesson("L22")
def test_an_opening_that_does_not_read_back_opens_nothing(study, monkeypatch):
    monkeypatch.setattr(type(study.client), "set_tag", lambda *arguments: None)
    with pytest.raises(RecordError, match="must read back"):
        record_opening(study, f"{NAME}/1")


@pytest.mark.lesson("L22")
def test_test_outcomes_are_there_only_behind_a_recorded_opening(study, planned):
    plan, dataset, _ = planned
    sealed = make_windows(dataset, plan.target, plan.split, 60)
    test = sealed.rows.test
    assert len(test) > 400
    assert np.isnan(sealed.y_host_D[test]).all() and sealed.y_D[test].isnan().all()
    assert np.isfinite(sealed.outcomes(sealed.rows.validation)).all()
    with pytest.raises(SealedError, match="only patchscale evaluate MODEL_VERSION opens it"):
        sealed.outcomes(test[:1])
    opened = make_windows(dataset, plan.target, plan.split, 60, opening=record_opening(study, f"{NAME}/1"))
    assert (opened.outcomes(test) == plan.target.labels(dataset.frame)[test]).all()


@pytest.mark.slow
@pytest.mark.lesson("L22")
def test_no_run_of_a_study_shows_an_outcome_of_the_test_days(make_trained, planned):
    from search.trial.baselines import log_baselines
    from search.trial.inputs import log_data

    study = make_trained(1, 1)
    log_data(study, planned[1])
    log_baselines(study)
    runs = study.client.search_runs([study.experiment_id])
    assert len(runs) == 7
    for run in runs:
        assert not [name for name in run.data.metrics if "test" in name and name != "data/days_test"]
        for entered in run.inputs.dataset_inputs:
            if entered.dataset.name.endswith("-test"):
                assert '"base_rate": "sealed"' in entered.dataset.profile


@pytest.mark.slow
@pytest.mark.lesson("L22")
def test_every_report_can_say_how_often_these_days_were_opened_also_by_others(study, make_study, planned):
    other, later = make_study(1, study="other", seed=1), make_study(1, study="later", split=_later(planned[0].split))
    assert holdout_in_words(study).endswith(": never opened")
    record_opening(study, f"{NAME}/1")
    assert holdout_in_words(study).endswith(": opened once")
    for _ in range(2):
        record_opening(other, f"{NAME}/2")
    record_opening(later, f"{NAME}/2")
    assert holdout_in_words(study).endswith(f": opened once, and 2 times through other studies of {NAMED}")
    assert holdout_in_words(later).endswith(": opened once")


@pytest.mark.lesson("L22")
def test_a_study_that_selects_on_another_s_test_days_says_so(study, make_study, planned):
    split = planned[0].split
    assert sealed_by_others(study) == []
    early = replace(
        split,
        train_end=date(2010, 12, 31),
        validation_start=date(2011, 1, 1),
        validation_end=date(2012, 12, 31),
        test_start=date(2013, 1, 1),
        test_end=date(2014, 12, 31),
    )
    make_study(1, study="early", split=early)
    assert sealed_by_others(study) == ["early"]
    assert holdout_in_words(study).endswith("this study trains or selects on days that are the test of early")
