import pytest
from mlflow.entities import Param

from pipeline.exceptions import LostLeaseError, RecordError
from search.tracking.held import held as held_by
from search.tracking.provenance import code_tags, library_tags
from search.tracking.run import RunWriter
from search.tracking.stores import open_tracking
from search.tracking.tags import REASON


@pytest.fixture
def client(stores):
    return open_tracking(stores)


@pytest.fixture
def start(client):
    """Start a run below another, with a tag of its own."""
    experiment = client.create_experiment("e")
    return lambda **options: RunWriter.create(
        client, experiment, "x", role="trial", study="s", parent="p", tags={"a": "b"}, **options
    )


def ended(writer):
    run = writer.client.get_run(writer.run_id)
    return run.info.status, run.data.tags[REASON], run.data.tags["mlflow.parentRunId"]


def test_a_run_says_whose_it_is_and_what_made_it(client, start):
    own = {"run.role": "trial", "study.name": "s", "mlflow.parentRunId": "p", "a": "b", "mlflow.runName": "x"}
    held = client.get_run(start().run_id).data.tags
    assert held == {**held, **own, **code_tags(), **library_tags()}
    bare = client.get_run(start(versions={}).run_id).data.tags
    assert bare == {**bare, **own} and not {*code_tags(), *library_tags()} & set(bare)


@pytest.mark.lesson("L3")
def test_params_that_do_not_read_back_mark_the_run_invalid(start, monkeypatch):
    whole, lossy = start(), start()
    assert whole.log_params({"a": "1", "b": "2"}, {"m": 0.5}) == {"a": "1", "b": "2"}
    monkeypatch.setattr("mlflow.entities.Param", lambda name, value: Param(name, value + "?"))
    with pytest.raises(RecordError, match="must read back as what was logged, got invalid: changed a, b"):
        lossy.log_params({"a": "1", "b": "2"})
    tags = [each.client.get_run(each.run_id).data.tags["record.state"] for each in (whole, lossy)]
    assert tags == ["valid", "invalid: changed a, b"]


def test_a_run_that_is_resumed_runs_under_its_new_name(client, start):
    writer = start()
    writer.interrupt()
    assert ended(writer) == ("KILLED", "interrupted", "p")
    writer.resume("y", {"a": 7})
    run = client.get_run(writer.run_id)
    assert (run.info.status, run.info.run_name) == ("RUNNING", "y")
    assert (run.data.tags["a"], run.data.tags[REASON]) == ("7", "resumed")


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (None, "FINISHED", "complete"),
        (ValueError("no"), "FAILED", "ValueError: no"),
        (KeyboardInterrupt(), "KILLED", "interrupted"),
    ],
    ids=["finished", "failed", "killed"],
)
def test_a_run_ends_as_its_work_ended(start, error, status, reason):
    try:
        with start() as writer:
            if error is not None:
                raise error
    except (ValueError, KeyboardInterrupt):
        assert error is not None
    assert ended(writer) == (status, reason, "p")


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


@pytest.mark.lesson("L40")
def test_a_run_of_nobody_else_s_ends_although_its_lease_was_lost(client, start):
    def lost():
        raise LostLeaseError("taken over")

    own, passed_on = start(), start()
    with pytest.raises(LostLeaseError), held_by(lost), own:
        own.set_tags({"more": "1"})
    assert ended(own)[:2] == ("FAILED", "LostLeaseError: taken over")
    with held_by(lost), pytest.raises(LostLeaseError):
        passed_on.stop(LostLeaseError("taken over"))
    assert client.get_run(passed_on.run_id).info.status == "RUNNING", "whoever took it over goes on with it"
