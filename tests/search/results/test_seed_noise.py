from dataclasses import replace
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from search.results.seed_noise import pooled_deviation, seed_noise, trials_noise, yearly_losses
from search.study.trial_run import start_trial
from search.tracking.tags import RECORD_STATE, VALID, WALK_FORWARD_ROLE


def run_of(loss, **params):
    metrics = {} if loss is None else {"best/loss": loss}
    return SimpleNamespace(data=SimpleNamespace(params={"d_model": "64", **params}, metrics=metrics))


def test_trials_that_differ_in_more_than_the_seed_do_not_count():
    runs = [
        run_of(0.40, seed="0", spec_hash="a"),
        run_of(0.42, seed="1", spec_hash="b"),
        run_of(0.90, seed="2", spec_hash="c", learning_rate="0.1"),
        run_of(0.10, seed="0", spec_hash="d", d_model="128"),
        run_of(None, seed="3", spec_hash="e"),
        run_of(0.70),
    ]
    found = trials_noise(runs)
    assert found.deviation == pytest.approx(np.std([0.40, 0.42], ddof=1))
    assert found.source == "2 trials that differ in the seed alone"
    assert trials_noise(runs[:1]) is None and trials_noise([]) is None


def test_scatter_is_pooled_about_each_group_s_own_mean():
    groups = [[1.0, 3.0], [10.0, 10.0, 13.0]]
    assert pooled_deviation(groups) == pytest.approx(np.sqrt((2 + 6) / 3))


def walked(p_by_seed, years):
    y = np.tile([0.0, 1.0], len(years) // 2)
    days = pd.DataFrame({"date": pd.bdate_range("2010-01-01", periods=len(y)), "year": years, "y": y, **p_by_seed})
    held = BytesIO()
    days.to_parquet(held)
    return held.getvalue()


def test_seeds_of_a_walk_forward_are_scored_year_by_year():
    years = [2010] * 4 + [2011] * 4
    held = walked({"p_seed0": [0.5] * 8, "p_seed1": [0.5] * 4 + [0.2, 0.8] * 2, "p": [0.9] * 8}, years)
    half, sure = np.log(2), -np.log(0.8)
    assert np.allclose(yearly_losses(held), [[half, half], [half, sure]])
    assert yearly_losses(walked({"p_seed0": [0.5] * 8}, years)) == []


@pytest.mark.slow
def test_a_study_without_repeated_seeds_has_no_noise_and_its_walk_forward_has(make_study):
    study = make_study(2)
    assert seed_noise(study) is None
    writer = study.start_run("walk-forward", role=WALK_FORWARD_ROLE, tags={RECORD_STATE: VALID})
    writer.log({}, params={"walkforward.seeds": "2"})
    table = pd.read_parquet(BytesIO(walked({"p_seed0": [0.5] * 4, "p_seed1": [0.2, 0.8] * 2}, [2010] * 4)))
    writer.log_table(table, "predictions/walkforward.parquet")
    assert seed_noise(study) is None
    writer.end("FINISHED")
    found = seed_noise(study)
    assert found.deviation == pytest.approx(np.std([np.log(2), -np.log(0.8)], ddof=1))
    assert found.source == "2 seeds of a walk-forward, a year's mean loss"


@pytest.mark.slow
def test_trials_of_another_seed_in_the_experiment_come_first(make_study):
    study = make_study(2)
    spec = study.plan.spec(study.plan.grid().architectures[0], {"learning_rate": 1e-3})
    for seed, loss in ((0, 0.40), (7, 0.44)):
        writer = start_trial(study, seed, replace(spec, seed=seed), device="cpu")
        writer.log({"best/loss": loss})
        writer.end("FINISHED")
    assert seed_noise(study).deviation == pytest.approx(np.std([0.40, 0.44], ddof=1))
