import inspect
import re

import pytest
from mlflow import MlflowClient

from pipeline.exceptions import LostLeaseError
from search.tracking.guarded_client import READS, GuardedClient
from search.tracking.held import held
from search.tracking.patient_client import PatientClient
from search.tracking.stores import open_tracking


def lost():
    raise LostLeaseError("taken over")


@pytest.fixture
def clients(stores):
    uri = stores.tracking_uri
    return [open_tracking(stores), PatientClient(tracking_uri=uri, registry_uri=uri)]


@pytest.mark.lesson("L40")
def test_who_lost_a_lease_writes_nothing_by_any_call_and_reads_on(clients):
    for client in clients:
        run = client.create_run("0")
        writes = {
            "create_run": ["0"],
            "log_batch": [run.info.run_id],
            "log_text": [run.info.run_id, "a", "a.txt"],
            "set_tag": [run.info.run_id, "a", "b"],
            "set_terminated": [run.info.run_id],
            "update_run": [run.info.run_id],
            "delete_run": [run.info.run_id],
            "create_experiment": ["other"],
            "create_registered_model": ["m"],
            "create_logged_model": ["0"],
            "set_registered_model_alias": ["m", "champion", "1"],
        }
        with held(lost):
            for name, arguments in writes.items():
                with pytest.raises(LostLeaseError):
                    getattr(client, name)(*arguments)
            assert client.get_run(run.info.run_id).data.tags.keys() == run.data.tags.keys()
            assert len(client.search_runs(["0"])) == 1 and client.get_experiment_by_name("other") is None
            assert client.search_registered_models() == []
        client.delete_run(run.info.run_id)


def test_every_call_of_the_client_reads_or_asks_first():
    """A call whose name says that it reads must not be one by which a store changes."""
    changing = re.compile(r"_(client|store)\.(create|set|delete|log|update|rename|restore|finalize|link)_")
    for name, function in inspect.getmembers(MlflowClient, inspect.isfunction):
        if name.startswith(READS):
            assert name.startswith("_") or not changing.search(inspect.getsource(function)), name
        else:
            assert getattr(GuardedClient, name) is not function, name
            assert getattr(GuardedClient, name).__doc__ == function.__doc__
