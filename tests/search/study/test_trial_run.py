from dataclasses import replace

import pytest

from model.spec.spec import Spec
from pipeline.exceptions import RecordError
from search.space.ranks import SearchSpace
from search.study.study import Study
from search.study.trial_run import spec_attributes, start_trial
from search.tracking.run import compare_params
from search.tracking.stores import open_tracking
from search.tracking.tags import RECORD_STATE, TRIAL_NUMBER

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
def start(client, spec, planned, stores):
    """Start a trial of a study that has no schedule: only the record is looked at."""
    experiment = client.create_experiment("e")
    parent = client.create_run(experiment).info.run_id
    study = Study(
        plan=planned[0], schedule=None, client=client, experiment_id=experiment, run_id=parent, home=stores.home
    )
    return lambda: start_trial(study, 3, spec, device="cpu")


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
    assert compare_params(changed, spec.params()).startswith("invalid: changed seed")


@pytest.mark.lesson("L9")
def test_code_and_libraries_are_tagged(client, start):
    tags = client.get_run(start().run_id).data.tags
    assert {"git.commit", "git.dirty", "version.torch", "version.mlflow", "version.optuna"} <= set(tags)
    assert tags["run.role"] == "trial"
    assert tags[TRIAL_NUMBER] == "3"


@pytest.mark.lesson("L2")
def test_a_searched_window_is_in_the_name_the_metrics_and_the_schedule_s_attributes(spec, client, planned, stores):
    windowed = replace(spec, architecture=spec.architecture.called(f"{spec.architecture.label}-c60p10s5"))
    window = {"context_length": 60, "patch_length": 10, "stride": 5}
    assert window.items() <= spec_attributes(windowed).items() and not window.keys() & spec_attributes(spec).keys()
    assert windowed.hash == spec.hash and Spec.from_params(windowed.params()) == windowed
    parent = client.create_run(client.create_experiment("w")).info
    study = Study(
        plan=planned[0],
        schedule=None,
        client=client,
        experiment_id=parent.experiment_id,
        run_id=parent.run_id,
        home=stores.home,
    )
    run = client.get_run(start_trial(study, 3, windowed, device="cpu").run_id)
    assert run.info.run_name.endswith("-c60p10s5") and run.data.params["architecture"] == windowed.architecture.label
    assert {f"hp/{name}": value for name, value in window.items()}.items() <= run.data.metrics.items()
