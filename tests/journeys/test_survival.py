"""What is lost when workers are killed at random, and what four of them do to an empty directory: nothing."""

import os
import random
import signal
import subprocess
import sys
import time

import optuna
import pytest
from optuna.trial import TrialState

from search.tracking.stores import open_storage, open_tracking, resolve_stores
from tests.forking_commands import Popen, workers_of

TRIALS, KILLS, UNDISTURBED = 24, 10, 10
ATTEMPTS = int(os.environ.get("PATCHSCALE_ATTEMPTS", "3"))
COMMAND = [
    "hpo",
    "--budget",
    "5K",
    "--tier",
    "r25",
    "--trials",
    str(TRIALS),
    "--max-epochs",
    "3",
    "--workers",
    "2",
    "--pruner",
    "none",
    "--split",
    "2004-12-31/2006-12-31/2008-12-31",
]

pytestmark = pytest.mark.slow


def start(project, directory, *arguments):
    return Popen(
        [sys.executable, "-m", "search", *arguments],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(project), "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )


def open_study(directory, monkeypatch):
    monkeypatch.chdir(directory)
    stores = resolve_stores()
    storage = open_storage(stores)
    (summary,) = optuna.get_all_study_summaries(storage)
    return optuna.load_study(study_name=summary.study_name, storage=storage), open_tracking(stores)


def results(study):
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    return {t.user_attrs["spec_hash"]: t.value for t in complete if "reuses" not in t.user_attrs}


def run_and_kill(process, kills, generator):
    """Kill a random worker after every second finished trial; what the command printed."""
    lines, done, killed = [], 0, 0
    for line in process.stdout:
        lines.append(line)
        if line.startswith("["):
            done += 1
            if killed < kills and done % 2 == 1:
                time.sleep(generator.uniform(0, 0.8))
                os.kill(generator.choice(workers_of(process)), signal.SIGKILL)
                killed += 1
    process.wait()
    assert killed == kills
    return "".join(lines)


@pytest.mark.lesson("L29")
@pytest.mark.lesson("L31")
@pytest.mark.lesson("L34")
def test_ten_kills_of_random_workers_lose_nothing(home, project, tmp_path, monkeypatch):
    process = start(project, home, *COMMAND)
    try:
        out = run_and_kill(process, KILLS, random.Random(0))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, out
    study, client = open_study(home, monkeypatch)
    disturbed = results(study)
    states = [t.state for t in study.trials]
    runs = client.search_runs([study.user_attrs["experiment_id"]], "tags.`run.role` = 'trial'", max_results=1000)
    statuses = [run.info.status for run in runs]
    assert len(disturbed) == TRIALS, "each spec once"
    assert states.count(TrialState.COMPLETE) == TRIALS and states.count(TrialState.RUNNING) == 0
    assert statuses.count("FINISHED") == TRIALS and statuses.count("RUNNING") == 0
    hit = states.count(TrialState.FAIL)
    assert hit >= 3, "a kill that hits a worker between trials, or while it starts, fails none; a slow machine has more"
    resumed = [run for run in runs if "resume.after_epoch" in run.data.tags]
    assert all(run.info.status == "FINISHED" for run in resumed)

    other = tmp_path / "undisturbed"
    other.mkdir()
    quiet = start(project, other, *COMMAND, "--trials", str(UNDISTURBED))
    out, _ = quiet.communicate(timeout=1500)
    assert quiet.returncode == 0, out
    undisturbed = results(open_study(other, monkeypatch)[0])
    same = disturbed.keys() & undisturbed.keys()
    assert len(same) >= 6
    assert {spec: disturbed[spec] for spec in same} == {spec: undisturbed[spec] for spec in same}


@pytest.mark.lesson("L32")
def test_four_workers_start_together_on_an_empty_directory_every_time(project, tmp_path, monkeypatch):
    for attempt in range(ATTEMPTS):
        directory = tmp_path / str(attempt)
        directory.mkdir()
        arguments = ["--budget", "5K", "--tier", "r25", "--trials", "4", "--max-epochs", "1", "--workers", "4"]
        process = start(project, directory, "hpo", *arguments)
        out, _ = process.communicate(timeout=1500)
        assert process.returncode == 0, out
        assert "error" not in out.lower() and "failed" not in out, out
        study, _ = open_study(directory, monkeypatch)
        assert [t.state for t in study.trials if t.state != TrialState.WAITING] == [TrialState.COMPLETE] * 4


@pytest.mark.lesson("L28")
def test_a_time_limit_stops_the_study_says_so_and_the_next_command_finishes_it(home, project, monkeypatch):
    trials, epochs = 3, "12"
    arguments = [
        "hpo",
        "--budget",
        "5K",
        "--tier",
        "r25",
        "--max-epochs",
        epochs,
        "--patience",
        epochs,
        "--pruner",
        "none",
    ]
    arguments += ["--workers", "1", "--trials", str(trials)]
    process = start(project, home, *arguments, "--timeout", "6s")
    out, _ = process.communicate(timeout=1500)
    assert process.returncode == 124, out
    study, client = open_study(home, monkeypatch)
    before = results(study)
    done = len(before)
    assert f"stopped by timeout after {done}/{trials}" in out and done < trials
    parent = client.get_run(study.user_attrs["run_id"])
    assert (parent.info.status, parent.data.tags["status.reason"]) == ("KILLED", f"stopped by timeout, {done}/{trials}")
    assert study.user_attrs["stopped"] == "timeout"
    interrupted = [t for t in study.trials if t.user_attrs.get("end") == "interrupted"]
    assert len(interrupted) <= 1, "a slow machine may have no trial by then"
    for trial in interrupted:
        run = client.get_run(trial.user_attrs["run_id"])
        assert (run.info.status, run.data.tags["status.reason"]) == ("KILLED", "interrupted")

    process = start(project, home, *arguments)
    out, _ = process.communicate(timeout=1500)
    assert process.returncode == 0, out
    study, client = open_study(home, monkeypatch)
    after = results(study)
    assert len(after) == trials and before.items() <= after.items()
    parent = client.get_run(study.user_attrs["run_id"])
    assert (parent.info.status, parent.data.tags["study.state"]) == ("FINISHED", "complete")
    assert study.user_attrs["stopped"] == ""
    assert all(t.state.is_finished() for t in study.trials if t.state != TrialState.WAITING)
