"""``mlflow run`` on servers, from a clone: its run ends with the study that it started, and records no password."""

import os
import shutil
import sys

import pytest
from mlflow import MlflowClient

from tests.servers.machine import PROJECT
from tests.servers.postgres import GUARDED

PASSWORD = "Vw8-Kettle-Plum"
GIVEN = {"budget": "5K", "tier": "r25", "trials": "1", "max_epochs": "1", "patience": "1", "workers": "1"}
PACKAGES, FILES = ("pipeline", "model", "search"), ("MLproject", "conda.yaml", "pyproject.toml")


@pytest.fixture
def launch(machine):
    """``launch("study", address)``: exit code and output of ``mlflow run`` from a clone with this storage."""
    here = machine("launching", storage="")
    for name in PACKAGES:
        shutil.copytree(PROJECT / name, here.directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(PROJECT / name, here.directory)

    def run(study, address, **others):
        values = {**GIVEN, "study": study, "storage": address, **others}
        given = [f"-P{name}={value}" for name, value in values.items()]
        command = [sys.executable, "-m", "mlflow", "run", ".", "-e", "hpo", *given, "--env-manager", "local"]
        path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        process = here.start_program(command, PATH=path)
        said = process.communicate()[0]
        return process.returncode, said

    return run


def launchers(tracking_server, study):
    client = MlflowClient(tracking_server.url)
    runs = client.search_runs(["0"], f"params.study = '{study}'")
    return [(run.info.status, run.data.tags) for run in runs]


@pytest.mark.lesson("L32")
def test_a_study_that_mlflow_run_starts_on_servers_is_whole_and_so_is_its_launchers_run(
    launch, postgres, tracking_server, storage_url
):
    code, said = launch("launched", storage_url)
    assert code == 0, said
    ((status, tags),) = launchers(tracking_server, "launched")
    assert (status, tags["status.reason"], tags["study.name"]) == ("FINISHED", "complete", "launched")
    parent = MlflowClient(tracking_server.url).get_run(tags["study.run_id"])
    assert parent.info.status == "FINISHED"
    ended = postgres.ask("SELECT state::text FROM trials ORDER BY number", database=storage_url.rpartition("/")[2])
    assert [state for (state,) in ended] == ["COMPLETE", *["WAITING"] * 5]


@pytest.mark.lesson("L41")
def test_a_password_that_mlflow_run_is_given_is_refused_in_words_and_nothing_is_made(launch, postgres, tracking_server):
    database = postgres.create("optuna")
    code, said = launch("shown", postgres.url(database, user=GUARDED, password=PASSWORD), trials="0", sampler="tqe")
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    assert code != 0 and len(lines) == 1 and "Traceback" not in said.partition(lines[0])[0], said
    assert "must hold no password" in lines[0] and "PATCHSCALE_STORAGE" in lines[0] and PASSWORD not in lines[0]
    ((_, tags),) = launchers(tracking_server, "shown")
    assert tags["run.role"] == "launcher" and PASSWORD not in str(tags)
    assert postgres.ask("SELECT count(*) FROM studies", database=database) == [(0,)]
