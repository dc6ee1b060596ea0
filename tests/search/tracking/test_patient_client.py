import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

import search.tracking.patience as patience
from search.tracking.patient_client import PatientClient


@pytest.fixture
def client(stores, monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(patience, "WAITING", patience._Waiting())
    patience.WAITING.tell = lambda line: None
    return PatientClient(tracking_uri=stores.tracking_uri, registry_uri=stores.tracking_uri)


def break_once(monkeypatch, name, *, arrives):
    plain, failed = getattr(MlflowClient, name), []

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

    monkeypatch.setattr(MlflowClient, name, call)


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("arrives", [False, True])
def test_a_run_is_made_once_whether_or_not_it_had_arrived(client, monkeypatch, arrives):
    other = client.create_run("0", tags={"trial.number": "0"}, run_name="trial")
    break_once(monkeypatch, "create_run", arrives=arrives)
    run = client.create_run("0", tags={"trial.number": "1"}, run_name="trial")
    assert run.info.run_id != other.info.run_id and run.data.tags["trial.number"] == "1"
    assert len(client.search_runs(["0"])) == 2


def test_reading_and_writing_are_repeated_and_what_makes_a_version_is_not(client):
    patient = {name for name, value in vars(PatientClient).items() if callable(value)}
    assert {
        "get_run",
        "search_runs",
        "log_batch",
        "set_tag",
        "set_terminated",
        "log_artifacts",
        "update_run",
    } <= patient
    assert not {"create_model_version", "create_registered_model"} & patient
