import json

import numpy as np
import pandas as pd
import pytest

from model.network.checkpoint import load_checkpoint
from model.network.patchtst import make_model
from search.tracking.artifacts import DIGEST, PREDICTIONS, checkpoint_name, checkpoints_of, fetch_artifact
from search.tracking.run import RunWriter
from search.trial.files import log_checkpoint, log_files


@pytest.fixture
def record(make_study):
    study = make_study(1)
    return study, RunWriter(study.client, study.start_run("x", role="trial").run_id)


def test_files_are_logged_with_their_digests_and_the_preview_is_of_the_last_days(record, tmp_path):
    study, writer = record
    spec = study.plan.spec(study.plan.grid().architectures[0], {})
    days = pd.DataFrame(
        {"date": pd.bdate_range("2016-01-01", periods=60), "y": 0.0, "p": np.full(60, 1 / 3), "p_seed0": 2 / 3}
    )
    log_files(writer, spec, days, model=make_model(spec))
    run = study.client.get_run(writer.run_id)
    assert {name.removeprefix(DIGEST) for name in run.data.tags if name.startswith(DIGEST)} == {
        "spec.json",
        "best.safetensors",
        PREDICTIONS,
        "predictions/preview.csv",
    }
    held = {name: fetch_artifact(study.client, run, name, tmp_path) for name in ("spec.json", PREDICTIONS)}
    assert json.loads(held["spec.json"].read_text()) == spec.params()
    assert pd.read_parquet(held[PREDICTIONS]).equals(days)
    preview = pd.read_csv(fetch_artifact(study.client, run, "predictions/preview.csv", tmp_path))
    assert len(preview) == 40 and set(preview["p"]) == {0.3333} and set(preview["p_seed0"]) == {0.6667}


def test_each_seed_has_weights_of_its_own(record, tmp_path):
    study, writer = record
    spec = study.plan.spec(study.plan.grid().architectures[0], {})
    for number in (0, 1):
        log_checkpoint(writer, spec, make_model(spec), number)
    study.client.log_param(writer.run_id, "n_seeds", "2")
    run = study.client.get_run(writer.run_id)
    assert checkpoints_of(run) == [checkpoint_name(0), checkpoint_name(1)]
    for name in checkpoints_of(run):
        assert load_checkpoint(fetch_artifact(study.client, run, name, tmp_path))[0] == spec
