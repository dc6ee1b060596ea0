from dataclasses import replace

import pytest

from model.spec.spec import Spec
from pipeline.exceptions import RecordError
from search.space.ranks import SearchSpace
from search.tracking.run import TrialRecord, check_record
from search.tracking.stores import open_tracking
from search.tracking.tags import REASON, RECORD_STATE, TRIAL_NUMBER

FIELDS = ["n_heads", "d_model", "n_layers", "d_ff", "n_params", "budget", "horizon", "threshold", "tier", "dataset"]
FIELDS += ["context_length", "patch_length", "stride", "learning_rate", "weight_decay", "warmup_fraction", "dropout"]
FIELDS += ["batch_size", "clip_norm", "beta1", "beta2", "epsilon", "max_epochs", "patience", "seed", "snapshots"]
FIELDS += ["train_start", "train_end", "validation_start", "validation_end", "test_start", "test_end"]


@pytest.fixture
def spec(planned):
    plan, _, _ = planned
    return plan.spec(SearchSpace(plan.grid()).grid.architectures[0], {"learning_rate": 0.1 + 0.2})


@pytest.fixture
def client(stores):
    return open_tracking(stores)


@pytest.fixture
def start(client, spec):
    experiment = client.create_experiment("e")
    parent = client.create_run(experiment).info.run_id
    arguments = {"experiment_id": experiment, "parent_run_id": parent, "study": "s", "number": 3, "device": "cpu"}
    return lambda **changed: TrialRecord.start(client, spec=spec, **{**arguments, **changed})


@pytest.mark.lesson("L1")
def test_what_is_logged_is_read_back_and_equals_itself(client, start, spec):
    run = client.get_run(start().run_id)
    assert set(FIELDS) <= set(run.data.params)
    assert Spec.from_params(run.data.params) == spec
    assert run.data.tags[RECORD_STATE] == "valid"


@pytest.mark.lesson("L1")
@pytest.mark.parametrize("dropped", ["n_heads", "warmup_fraction", "test_end", "n_params"])
def test_a_dropped_field_marks_the_run_invalid_and_stops_the_trial(client, start, monkeypatch, dropped):
    whole = Spec.params
    monkeypatch.setattr(client, "log_batch", _without(client.log_batch, dropped))
    with pytest.raises(RecordError, match=f"missing {dropped}"):
        start()
    assert Spec.params is whole
    (run,) = client.search_runs(["1"], "tags.`run.role` = 'trial'")
    assert run.data.tags[RECORD_STATE] == f"invalid: missing {dropped}"
    assert run.info.status == "FAILED"


def _without(log_batch, name):
    def lossy(run_id, **entities):
        entities["params"] = [p for p in entities.get("params", ()) if p.key != name]
        return log_batch(run_id, **entities)

    return lossy


def test_a_changed_field_is_invalid(spec):
    changed = replace(spec, seed=1).params()
    assert check_record(changed, spec).startswith("invalid: changed seed")


@pytest.mark.lesson("L9")
def test_code_and_libraries_are_tagged(client, start):
    tags = client.get_run(start().run_id).data.tags
    assert {"git.commit", "git.dirty", "version.torch", "version.mlflow", "version.optuna"} <= set(tags)
    assert tags["run.role"] == "trial"
    assert tags[TRIAL_NUMBER] == "3"


def test_status_says_the_cause(client, start):
    failed, killed = start(), start()
    failed.fail(ValueError("boom"))
    killed.interrupt()
    runs = {r.info.run_id: r for r in client.search_runs(["1"], "tags.`run.role` = 'trial'")}
    assert runs[failed.run_id].info.status == "FAILED"
    assert runs[failed.run_id].data.tags[REASON] == "ValueError: boom"
    assert [a.path for a in client.list_artifacts(failed.run_id)] == ["traceback.txt"]
    assert runs[killed.run_id].info.status == "KILLED"


def test_an_undefined_metric_is_left_out_not_replaced(client, start):
    trial = start()
    trial.log({"a": float("nan"), "b": 1.0, "c": float("inf")})
    metrics = client.get_run(trial.run_id).data.metrics
    assert "b" in metrics
    assert not {"a", "c"} & set(metrics)
