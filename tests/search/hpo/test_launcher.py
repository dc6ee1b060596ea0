import os
import socket

import pytest

from pipeline.exceptions import LostLeaseError, StoreError
from search.hpo.launcher import Launcher, close_stale_launchers
from search.tracking.held import held
from search.tracking.tags import LAUNCHER_HOST, LAUNCHER_PID

PROJECT = {"mlflow.project.entryPoint": "hpo", "mlflow.project.env": "local"}


@pytest.fixture
def study(make_study):
    return make_study(1)


@pytest.fixture
def launched(study, stores, monkeypatch):
    """Be started by ``mlflow run``, whose run this is."""
    run_id = study.client.create_run("0", tags=PROJECT).info.run_id
    for name, value in (("RUN_ID", run_id), ("EXPERIMENT_ID", "0"), ("TRACKING_URI", stores.tracking_uri)):
        monkeypatch.setenv(f"MLFLOW_{name}", value)
    return run_id


def test_the_run_is_taken_out_of_the_environment_so_that_nothing_else_logs_to_it(launched):
    assert Launcher.from_environment().run_id == launched
    assert "MLFLOW_RUN_ID" not in os.environ and "MLFLOW_EXPERIMENT_ID" not in os.environ
    assert Launcher.from_environment() is None


def test_a_run_that_does_not_exist_launched_nobody(launched, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    assert Launcher.from_environment() is None
    assert "MLFLOW_RUN_ID" not in os.environ


@pytest.mark.lesson("L32")
def test_it_names_what_it_launched_and_ends_as_that_ended(launched, study, make_study):
    launcher, other = Launcher.from_environment(), make_study(1, study="other")
    launcher.link(study, other)
    tags = study.client.get_run(launched).data.tags
    assert tags["study.name"] == f"{study.plan.study},other"
    assert tags["study.run_id"] == f"{study.run_id},{other.run_id}"
    assert (tags[LAUNCHER_PID], tags[LAUNCHER_HOST]) == (str(os.getppid()), socket.gethostname())
    assert study.client.get_run(launched).info.run_name == f"mlflow run: {study.plan.study},other"
    launcher.end("KILLED", "interrupted")
    run = study.client.get_run(launched)
    assert (run.info.status, run.data.tags["status.reason"]) == ("KILLED", "interrupted")


@pytest.mark.lesson("L40")
def test_it_ends_although_another_command_took_over_what_it_launched(launched, study):
    launcher = Launcher.from_environment()

    def lost():
        raise LostLeaseError("taken over")

    with held(lost):
        with pytest.raises(LostLeaseError):
            launcher.link(study)
        launcher.end("KILLED", "taken over")
    assert study.client.get_run(launched).info.status == "KILLED"


@pytest.mark.lesson("L41")
@pytest.mark.parametrize("option", ["storage", "tracking_uri"])
def test_a_password_that_mlflow_has_recorded_is_refused_and_forgotten(launched, study, option):
    address = "postgresql://me:geheim@host/db"
    study.client.log_param(launched, option, address)
    launcher = Launcher.from_environment()
    with pytest.raises(StoreError, match=r"PATCHSCALE_STORAGE .*MLFLOW_TRACKING_URI.* ~/\.pgpass$") as caught:
        launcher.require_no_secret("hpo", *((address, "") if option == "tracking_uri" else ("", address)))
    run = study.client.get_run(launched)
    assert "geheim" not in str(caught.value) + str(run.to_dictionary())
    assert run.info.run_name == "mlflow run: hpo refused" and run.data.params == {option: "***"}
    launcher.require_no_secret("hpo", "http://host:5000", "postgresql://me@host/db")


@pytest.mark.lesson("L41")
def test_a_password_is_forgotten_in_whatever_place_it_was_recorded(launched, study):
    held = {"ticker": "postgresql://me:geheim@host/db", "study": "host=db password=geheim", "budget": "2M"}
    for name, value in held.items():
        study.client.log_param(launched, name, value)
    study.client.set_tag(launched, "mlflow.source.git.repoURL", "https://me:geheim@host/a.git")
    launcher = Launcher.from_environment()
    with pytest.raises(StoreError, match=r"got one in study, ticker, mlflow\.source\.git\.repoURL on run "):
        launcher.require_no_secret("hpo")
    run = study.client.get_run(launched)
    assert "geheim" not in str(run.to_dictionary()) and run.data.params == {
        "ticker": "***",
        "study": "***",
        "budget": "2M",
    }
    launcher.require_no_secret("hpo")


STORAGE = ["--storage", "postgresql://me:geheim@host/db"]
OTHER_ERRORS = [
    ["hpo", "--trials", "0"],
    ["hpo", "--trials", "many"],
    ["hpo", "--sampler", "tqe"],
    ["hpo", "--pruner", "tqe"],
    ["hpo", "--budget", "2X"],
    ["hpo", "--device", "tpu"],
    ["hpo", "--engine", "rai"],
    ["hpo", "--no-such-option", "1"],
    ["hpo", "--study"],
    ["hpo", "--tracking-uri", "ftp://me:geheim@host"],
    ["hpo", "--ticker", "postgresql://me:geheim@host/db"],
    ["campaign", "--budgets", "2M,2M"],
    ["campaign", "--horizons", "0"],
    ["campaign", "--json"],
]


@pytest.mark.lesson("L41")
@pytest.mark.parametrize("given", OTHER_ERRORS, ids=" ".join)
def test_a_recorded_password_comes_before_every_other_error(launched, study, command, monkeypatch, given):
    study.client.log_param(launched, "storage", STORAGE[1])
    arguments = [given[0], *STORAGE, *given[1:]]
    monkeypatch.setattr("sys.argv", ["patchscale", *arguments])
    code, _, error = command(*arguments)
    assert code == 2 and "geheim" not in error and error.count("\n") == 1, error
    assert error.startswith("error: an address that mlflow run is given must hold no password"), error
    run = study.client.get_run(launched)
    assert "geheim" not in str(run.to_dictionary()) and "change the password" in run.data.tags["mlflow.note.content"]


@pytest.mark.lesson("L41")
@pytest.mark.parametrize("given", [["--trials", "0"], ["--no-such-option"]])
def test_a_password_that_is_in_the_record_alone_is_told_instead_of_what_stopped_the_command(
    launched, study, command, monkeypatch, given
):
    study.client.log_param(launched, "storage", STORAGE[1])
    monkeypatch.setattr("sys.argv", ["patchscale", "hpo", *given])
    code, _, error = command("hpo", *given)
    assert code == 2 and error.startswith("error: an address that mlflow run is given must hold no password"), error
    assert "geheim" not in str(study.client.get_run(launched).to_dictionary())


def test_a_launcher_whose_process_is_gone_is_closed(study):
    tags = {"run.role": "launcher", "launcher.host": socket.gethostname(), "launcher.pid": "999999999"}
    gone = study.client.create_run("0", tags=tags).info.run_id
    elsewhere = study.client.create_run("0", tags={**tags, "launcher.host": "another"}).info.run_id
    alive = study.client.create_run("0", tags={**tags, "launcher.pid": str(os.getpid())}).info.run_id
    assert len(close_stale_launchers(study.client)) == 1
    assert study.client.get_run(gone).info.status == "KILLED"
    assert study.client.get_run(alive).info.status == "RUNNING"
    assert study.client.get_run(elsewhere).info.status == "RUNNING"


@pytest.mark.lesson("L44")
@pytest.mark.parametrize(
    ("status", "tags", "why"),
    [
        ("FINISHED", PROJECT, "is FINISHED, so it launched nothing"),
        ("RUNNING", {}, "was not made by mlflow run for this project"),
        ("RUNNING", {"mlflow.project.entryPoint": "train"}, "was not made by mlflow run for this project"),
        ("deleted", PROJECT, "is not there"),
    ],
)
def test_a_run_of_somebody_s_own_is_left_alone(launched, study, monkeypatch, capsys, status, tags, why):
    own = study.client.create_run("0", tags=tags).info.run_id
    if status == "deleted":
        study.client.delete_run(own)
    else:
        study.client.update_run(own, status=status)
    before = study.client.get_run(own).to_dictionary()
    monkeypatch.setenv("MLFLOW_RUN_ID", own)
    assert Launcher.from_environment() is None
    assert f"note: MLFLOW_RUN_ID names run {own[:8]}, which {why}" in capsys.readouterr().err
    assert study.client.get_run(own).to_dictionary() == before


@pytest.mark.slow
@pytest.mark.lesson("L44")
@pytest.mark.parametrize("uri", ["", "sqlite:///{}/of-another-project.db", "file:///there/mlruns"])
def test_a_run_without_a_store_makes_none(launched, monkeypatch, home, uri):
    there = sorted(path.name for path in home.iterdir())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(home))
    assert Launcher.from_environment() is None
    assert sorted(path.name for path in home.iterdir()) == there
