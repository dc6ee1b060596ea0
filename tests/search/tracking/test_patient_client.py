import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.tracking._model_registry.client import ModelRegistryClient
from mlflow.tracking._tracking_service.client import TrackingServiceClient

import search.tracking.patience as patience
from search.tracking.patient_client import PatientClient


@pytest.fixture
def client(stores, monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(patience, "WAITING", patience._Waiting())
    patience.WAITING.tell = lambda line: None
    return PatientClient(tracking_uri=stores.tracking_uri, registry_uri=stores.tracking_uri)


def break_once(monkeypatch, name, *, arrives, of=MlflowClient):
    plain, failed = getattr(of, name), []

    def call(self, *arguments, **named):
        if failed:
            return plain(self, *arguments, **named)
        failed.append(True)
        if arrives:
            plain(self, *arguments, **named)
        try:
            raise requests.exceptions.ConnectionError("Connection aborted")
        except requests.exceptions.ConnectionError as error:
            raise MlflowException(f"API request failed with exception {error}")  # noqa: B904

    monkeypatch.setattr(of, name, call)
    return failed


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("arrives", [False, True])
def test_a_run_is_made_once_whether_or_not_it_had_arrived(client, monkeypatch, arrives):
    other = client.create_run("0", tags={"trial.number": "0"}, run_name="trial")
    break_once(monkeypatch, "create_run", arrives=arrives)
    run = client.create_run("0", tags={"trial.number": "1"}, run_name="trial")
    assert run.info.run_id != other.info.run_id and run.data.tags["trial.number"] == "1"
    assert len(client.search_runs(["0"])) == 2


@pytest.fixture
def packed(client, tmp_path):
    """Run, and a directory to be a model of it."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text("flavors: {}")
    return client.create_run("0").info.run_id, tmp_path / "model"


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize(
    "call",
    [
        "create_experiment",
        "create_registered_model",
        "create_logged_model",
        "log_model_artifacts",
        "finalize_logged_model",
        "create_model_version",
        "set_registered_model_alias",
        "delete_model_version",
    ],
)
def test_a_registration_is_made_once_whatever_call_of_it_is_not_answered(client, monkeypatch, packed, call, arrives):
    """Each call breaks once, before or after it has arrived; there is an earlier version of another run."""
    run_id, directory = packed
    client.create_registered_model("m")
    client.create_model_version("m", "file:///other", client.create_run("0").info.run_id)
    below = TrackingServiceClient if hasattr(TrackingServiceClient, call) else ModelRegistryClient
    broken = break_once(monkeypatch, call, arrives=arrives, of=below)
    place = client.create_experiment("another")
    client.create_registered_model("n", tags={"ticker": "SPY"}, description="asked")
    logged = client.create_logged_model("0", name="packaged", source_run_id=run_id, tags={"a": "1"}, params={"b": "2"})
    client.log_model_artifacts(logged.model_id, str(directory))
    client.finalize_logged_model(logged.model_id, "READY")
    version = client.create_model_version(
        "m", logged.artifact_location, run_id, tags={"a": "1"}, description="said", model_id=logged.model_id
    )
    client.set_registered_model_alias("m", "challenger", version.version)
    client.delete_model_version("m", "1")
    assert broken and client.get_experiment_by_name("another").experiment_id == place
    assert client.get_registered_model("n").description == "asked"
    (held,) = client.search_logged_models(["0"])
    assert (held.model_id, held.params, held.status) == (logged.model_id, {"b": "2"}, "READY")
    assert [file.path for file in client.list_logged_model_artifacts(held.model_id)] == ["MLmodel"]
    (made,) = client.search_model_versions("name = 'm'")
    assert (made.run_id, made.description, made.tags) == (run_id, "said", {"a": "1"})
    assert client.get_model_version_by_alias("m", "challenger").version == made.version == 2


def test_who_is_told_of_a_model_that_is_not_there_is_told_at_once(client):
    with pytest.raises(MlflowException, match="not found"):
        client.delete_registered_model("nobody's")
    with pytest.raises(MlflowException, match="already exists"):
        client.create_registered_model("m") and client.create_registered_model("m")


def test_reading_and_writing_are_repeated_and_what_would_be_made_twice_is_not(client):
    patient = {name for name, value in vars(PatientClient).items() if callable(value)}
    assert {
        "get_run",
        "search_runs",
        "log_batch",
        "set_tag",
        "set_terminated",
        "log_artifacts",
        "update_run",
        "log_model_artifacts",
        "log_model_artifact",
    } <= patient
    assert not {"copy_model_version", "create_prompt", "start_trace"} & patient
