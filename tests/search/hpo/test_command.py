"""The whole command as its user runs it: real processes, real stores, real kills."""

import os
import signal
import time

import optuna
import pytest
from optuna.trial import TrialState

from search.tracking.stores import open_storage, open_tracking
from tests.forking_commands import workers_of

COMMAND = ["hpo", "--budget", "5K", "--tier", "r25", "--trials", "8", "--max-epochs", "3", "--workers", "2"]
SHORT = ["--split", "2004-12-31/2006-12-31/2008-12-31"]
TIME_LIMIT_SECONDS = 1500

pytestmark = pytest.mark.slow


def read_until(process, text):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    pytest.fail(f"never printed {text!r}: {''.join(lines)}")


def finish(process):
    out, _ = process.communicate(timeout=TIME_LIMIT_SECONDS)
    return out


def runs(stores):
    client = open_tracking(stores)
    experiments = [e.experiment_id for e in client.search_experiments()]
    return client.search_runs(experiments, max_results=1000)


def assert_whole(stores, trials=8):
    """8/8: every spec once, one FINISHED run a finished trial, nothing RUNNING."""
    (summary,) = optuna.get_all_study_summaries(open_storage(stores))
    study = optuna.load_study(study_name=summary.study_name, storage=open_storage(stores))
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    assert len(complete) == trials
    assert not study.get_trials(states=(TrialState.RUNNING,))
    assert len({t.user_attrs["spec_hash"] for t in complete}) == trials
    assert sum(t.user_attrs.get("forced") == "extreme" for t in complete) == 6
    found = runs(stores)
    assert "RUNNING" not in {r.info.status for r in found}
    finished = [r for r in found if r.data.tags.get("run.role") == "trial" and r.info.status == "FINISHED"]
    assert {r.info.run_id for r in finished} == {t.user_attrs["run_id"] for t in complete}
    (parent,) = [r for r in found if r.data.tags.get("run.role") == "study"]
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["study.finished_trials"] == str(trials)
    return study, parent


@pytest.mark.lesson("L28")
def test_a_study_ends_complete_with_its_record_and_can_be_extended(launch, stores):
    first = launch(*COMMAND)
    out = finish(first)
    assert first.returncode == 0, out
    _, parent = assert_whole(stores)
    client = open_tracking(stores)
    assert {a.path for a in client.list_artifacts(parent.info.run_id)} >= {"data", "grid.json", "trials.csv"}
    data = {a.path for a in client.list_artifacts(parent.info.run_id, "data")}
    assert data == {"data/checks-GSPC.txt", "data/drift.csv", "data/drift.md"}
    assert parent.data.metrics["data/base_rate_train"] == pytest.approx(0.2313, abs=0.002)
    assert "8 of 8 trials finished" in parent.data.tags["mlflow.note.content"]
    key = out.split("viewStateShareKey=")[1].split()[0]
    assert out.index("Watch the trials") < out.index("viewStateShareKey") < out.index("[1/8]"), (
        "the board's link comes first"
    )
    assert out.index("[8/8]") < out.index("Compare the trials"), "and again at the end"
    assert f"mlflow.sharedViewState.{key}" in client.get_experiment(parent.info.experiment_id).tags
    again = launch(*COMMAND)
    assert "8/8 trials done" in finish(again)
    assert again.returncode == 0
    assert_whole(stores)
    finish(launch(*COMMAND, "--trials", "10"))
    assert_whole(stores, trials=10)


@pytest.mark.lesson("L29")
def test_interrupted_in_any_way_and_again_the_same_command_finishes_the_rest(launch, stores):
    before = 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process = launch(*COMMAND, *SHORT)
        lines = read_until(process, "/8]")
        process.send_signal(number)
        out = "".join(lines) + finish(process)
        if number != signal.SIGKILL:
            assert process.returncode == 128 + number, out
            assert "the same command continues" in out
            assert "RUNNING" not in {r.info.status for r in runs(stores)}
            assert "KILLED" in {r.info.status for r in runs(stores) if r.data.tags["run.role"] == "study"}
        assert done_before(out) >= before
        before = done_before(out) + 1
    last = launch(*COMMAND, *SHORT)
    out = finish(last)
    assert last.returncode == 0, out
    done = done_before(out)
    assert before <= done < 8
    assert sum(line.startswith("[") for line in out.splitlines()) == 8 - done
    assert_whole(stores)


def done_before(out):
    """How many trials there were when a command that printed this went on; 0 where it began."""
    return int(out.split("/8 trials done")[0].rsplit(" ", 1)[1]) if "/8 trials done" in out else 0


def test_a_killed_worker_is_replaced_and_its_trial_run_again(launch, stores):
    process = launch(*COMMAND, *SHORT)
    read_until(process, "[2/8]")
    os.kill(workers_of(process)[0], signal.SIGKILL)
    out = finish(process)
    assert process.returncode == 0, out
    assert "a worker ended unasked with exit code -9" in out
    assert_whole(stores)


def test_workers_do_not_outlive_a_killed_coordinator(launch, stores):
    process = launch(*COMMAND, *SHORT)
    read_until(process, "[1/8]")
    workers = workers_of(process)
    assert len(workers) == 2
    process.kill()
    deadline = time.monotonic() + 1500
    while any(os.path.exists(f"/proc/{pid}") for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in workers)


@pytest.fixture
def clone(cloned):
    values = {"budget": "5K", "tier": "r25", "trials": "4", "max_epochs": "3", "workers": "1"}
    parameters = [f"-P{name}={value}" for name, value in values.items()]
    return ["run", ".", "-e", "hpo", *parameters, "--env-manager", "local"]


@pytest.mark.lesson("L32")
def test_mlflow_run_launches_the_study_and_its_run_ends_with_it(launch, clone, stores):
    """On Ctrl-C `mlflow run` itself writes FAILED over whatever status its run has."""
    for number in (signal.SIGTERM, signal.SIGINT):
        process = launch(*clone, program=("-m", "mlflow"))
        read_until(process, "/4]")
        process.send_signal(number)
        finish(process)
    process = launch(*clone, program=("-m", "mlflow"))
    out = finish(process)
    assert process.returncode == 0, out
    found = runs(stores)
    launchers = [r for r in found if r.data.tags.get("run.role") == "launcher"]
    (parent,) = [r for r in found if r.data.tags.get("run.role") == "study"]
    assert len(launchers) == 3
    assert {r.data.tags["study.run_id"] for r in launchers} == {parent.info.run_id}
    ends = sorted((r.data.tags["status.reason"], r.info.status) for r in launchers)
    assert ends == [("complete", "FINISHED"), ("interrupted", "FAILED"), ("interrupted", "KILLED")]
    assert parent.info.status == "FINISHED"
    assert "RUNNING" not in {r.info.status for r in found}


def test_bad_input_through_mlflow_run_leaves_nothing_running(launch, clone, stores):
    process = launch(*[word.replace("budget=5K", "budget=20Q") for word in clone], program=("-m", "mlflow"))
    out = finish(process)
    assert process.returncode != 0
    assert "error: budget must be a number with K, M or B behind it" in out
    (run,) = runs(stores)
    assert (run.info.status, run.info.run_name) == ("FAILED", "mlflow run: hpo refused")
    assert run.data.tags["mlflow.note.content"].startswith("**Refused**: budget must be a number with K, M or B")
