"""A study that trains on several tickers with an offset: one record, one set of days."""

from dataclasses import replace

import mlflow
import numpy as np
import pandas as pd
import pytest

from model.network.checkpoint import load_checkpoint
from model.spec.spec import Spec
from search.study.make_plan import make_plan
from search.study.study import open_or_create_study
from search.trial.baselines import log_baselines
from search.trial.inputs import log_data
from search.trial.runner import TrialRunner
from tests.search.conftest import REQUEST


@pytest.fixture
def pooled(stores, tmp_path):
    root = tmp_path / "data"
    request = replace(REQUEST, train_tickers=("^IXIC",), offset="logistic", instance_norm="revin")
    plan, _ = make_plan(request, root=root)
    return open_or_create_study(stores, plan, trials=2, data_root=root)


@pytest.mark.slow
@pytest.mark.lesson("L19")
@pytest.mark.lesson("L24")
def test_trials_and_baselines_of_a_pooled_study_share_rows_and_days(pooled, planned, monkeypatch, tmp_path):
    from model.baselines import BASELINES

    monkeypatch.setattr("search.trial.baselines.BASELINES", {"logistic": BASELINES["logistic"]})
    dataset, others = pooled.load_data()
    assert dataset.digest == planned[1].digest and [each.ticker for each in others] == ["^IXIC"]
    log_data(pooled, dataset, others)
    runner = TrialRunner(pooled, dataset, pooled=others, device="cpu", report=print, should_stop=lambda: False)
    runner.run_next()
    (logged,) = log_baselines(pooled)
    (trial,) = pooled.finished()
    run, baseline = (pooled.client.get_run(each) for each in (trial.user_attrs["run_id"], logged.run_id))
    assert run.data.params["train_tickers"] == "^GSPC,^IXIC" and run.data.params["offset"] == "logistic"
    assert Spec.from_params(run.data.params).data.pooled_digests == (others[0].digest,)
    study_run = pooled.client.get_run(pooled.run_id)
    for each in (run, baseline, study_run):
        inputs = sorted((i.tags[0].value, i.dataset.digest) for i in each.inputs.dataset_inputs)
        assert inputs == sorted(
            [(part, dataset.digest) for part in ("train", "validation", "test")] + [("train", others[0].digest)]
        )
    stored = [_predictions(pooled, each.info.run_id, tmp_path / str(i)) for i, each in enumerate((run, baseline))]
    pd.testing.assert_frame_equal(stored[0][["date", "y"]], stored[1][["date", "y"]])
    assert baseline.data.metrics["n_train"] > 1.5 * len(dataset.dates) * 0.6


@pytest.mark.slow
def test_the_checkpoint_of_a_pooled_trial_needs_nothing_else(pooled, tmp_path):
    dataset, others = pooled.load_data()
    TrialRunner(pooled, dataset, pooled=others, device="cpu", report=print, should_stop=lambda: False).run_next()
    (trial,) = pooled.finished()
    path = mlflow.artifacts.download_artifacts(
        run_id=trial.user_attrs["run_id"],
        artifact_path="best.safetensors",
        dst_path=str(tmp_path / "there"),
        tracking_uri=pooled.client.tracking_uri,
    )
    spec, model = load_checkpoint(path)
    assert spec.training.offset == "logistic" and spec.architecture.instance_norm == "revin"
    assert float(np.abs(model.offset.weight_F.numpy()).max()) > 0


@pytest.mark.slow
def test_a_study_is_not_continued_with_another_pool_or_offset(pooled, stores, tmp_path):
    from pipeline.exceptions import StoreError

    root = tmp_path / "data"
    alone, _ = make_plan(replace(REQUEST, study=pooled.plan.study), root=root)
    with pytest.raises(
        StoreError, match=r"train_datasets .*offset logistic there, none here; instance_norm revin there, none here"
    ):
        open_or_create_study(stores, alone, trials=2, data_root=root)
    assert "-pooled-logistic-revin-" in pooled.plan.study


def _predictions(study, run_id, directory):
    path = mlflow.artifacts.download_artifacts(
        run_id=run_id,
        artifact_path="predictions/val.parquet",
        dst_path=str(directory),
        tracking_uri=study.client.tracking_uri,
    )
    return pd.read_parquet(path)
