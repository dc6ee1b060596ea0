from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from model.baselines import BASELINES, Logistic
from pipeline.exceptions import InputError, RecordError, SealedError
from search.walk_forward import load
from search.walk_forward.load import load_walk_forward
from search.walk_forward.runs import read_days
from search.walk_forward.subject import Subject

LOGISTIC = Subject(name="baseline logistic", baseline=BASELINES["logistic"])


@pytest.mark.slow
def test_spec_and_baseline_come_on_the_same_days(study, subject, walk):
    run_ids = [walk(each, seeds=1) for each in (subject, LOGISTIC)]
    found = load_walk_forward(study)
    assert found.names == ("trial 0 tiny", "baseline logistic") and found.roles == ("trial", "baseline")
    assert found.run_ids == tuple(run_ids) and found.n_params == (subject.spec.n_params, None)
    assert found.horizon == 1
    for run_id, p_D in zip(run_ids, found.p_MD, strict=True):
        days = read_days(study, study.client.get_run(run_id))
        assert np.array_equal(days["p"], p_D) and days["date"].tolist() == found.dates_D.tolist()
        assert np.array_equal(days["y"], found.y_D)


@pytest.mark.slow
@pytest.mark.lesson("L9")
def test_what_is_invalid_unfinished_or_of_other_settings_stays_out(study, walk):
    run_id = walk(LOGISTIC)
    changed = walk(Subject(name="baseline logistic", baseline=Logistic(n_folds=3)))
    assert load_walk_forward(study).run_ids == (run_id,) != (changed,)
    for tag in ("record.state",):
        study.client.set_tag(run_id, tag, "invalid: changed c")
        with pytest.raises(InputError, match="must have finished walk-forwards, got none"):
            load_walk_forward(study)
        study.client.set_tag(run_id, tag, "valid")
    study.client.set_terminated(run_id, "KILLED")
    with pytest.raises(InputError, match="must have finished walk-forwards of 2015 to 2016, got none"):
        load_walk_forward(study, years=(2015, 2016))


@pytest.mark.slow
def test_the_years_that_most_models_have_are_taken_and_most_seeds(study, subject, walk):
    long = walk(LOGISTIC, years=(2012 + 2, 2016))
    assert load_walk_forward(study).run_ids == (long,)
    one, two = walk(subject, seeds=1), walk(subject, seeds=2)
    assert load_walk_forward(study, years=(2015, 2016)).run_ids == (two,)
    short = walk(LOGISTIC)
    assert load_walk_forward(study).run_ids == (two, short)
    assert load_walk_forward(study, run_ids=[one]).run_ids == (one, short)
    assert load_walk_forward(study, years=(2014, 2016)).run_ids == (long,)


@pytest.mark.lesson("L19")
def test_other_outcomes_or_probabilities_are_refused(study, walk, monkeypatch):
    logistic = walk(LOGISTIC)
    walk(Subject(name="baseline base_rate", baseline=BASELINES["base_rate"]))

    def spoiled(**columns):
        def read(study, run):
            table = read_days(study, run)
            return table.assign(**columns) if run.info.run_id == logistic else table

        return read

    for columns, said in (({"y": 1.0}, "another y for baseline logistic"), ({"p": 1.5}, "got another one of")):
        monkeypatch.setattr(load, "read_days", spoiled(**columns))
        with pytest.raises(RecordError, match=said):
            load_walk_forward(study)


@pytest.mark.lesson("L22")
def test_a_sealed_day_is_refused(study, walk, monkeypatch):
    walk(LOGISTIC)
    monkeypatch.setattr(
        load, "read_days", lambda study, run: read_days(study, run).assign(date=pd.Timestamp(2017, 1, 3))
    )
    with pytest.raises(SealedError, match="a walk-forward must end before the sealed test split of 2017-01-01"):
        load_walk_forward(study)


def test_a_run_whose_predictions_were_deleted_says_so(study, walk, tmp_path):
    from search.tracking.artifacts import fetch_artifact

    run = study.client.get_run(walk(LOGISTIC))
    fetch_artifact(study.client, run, "predictions/walkforward.parquet", tmp_path).unlink()
    with pytest.raises(RecordError, match=r"must keep predictions/walkforward.parquet, got none"):
        load_walk_forward(study)


def test_a_spec_of_other_data_stays_out(study, subject, walk):
    walk(LOGISTIC)
    moved = replace(study, plan=replace(study.plan, target=replace(study.plan.target, horizon=2)))
    with pytest.raises(InputError, match="got none"):
        load_walk_forward(moved)
