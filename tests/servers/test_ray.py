"""Trials on a Ray cluster: what one machine finds, to the last bit, whatever is killed meanwhile."""

import json
import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from optuna.trial import TrialState
from rich.console import Console
from safetensors.numpy import load_file

from search.hpo.command import open_study
from search.report import write_report
from search.study.make_plan import make_plan
from search.study.request import HpoRequest
from search.study.study import load_study
from search.tracking.artifacts import read_artifact
from search.tracking.state import SENT
from search.tracking.stores import resolve_stores
from search.tracking.tags import TRIAL_NUMBER, WALK_FORWARD_ROLE
from search.trial.runner import TrialRunner
from search.walk_forward.command import WalkForwardRequest, run_walk_forward
from search.walk_forward.runs import PREDICTIONS
from tests.servers.postgres import GUARDED

TRIALS, EPOCHS = 6, 3
BUDGET = "5K"
SETTINGS = {"budget": BUDGET, "tier": "r25", "max_epochs": EPOCHS, "patience": EPOCHS, "pruner": "none", "keep": "all"}
OPTIONS = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items() if name != "budget"]
HPO = ["hpo", "--budget", BUDGET, *OPTIONS, "--trials", str(TRIALS), "--engine", "ray", "--study"]
CAMPAIGN = ["--budgets", BUDGET, "--horizons", "1", *OPTIONS, "--trials", str(TRIALS - 1)]
"""One study, which lacks the last of its six extremes in the end."""
WALK = {"trial": 0, "seeds": 1, "first_year": 2015, "last_year": 2016}
RESAMPLES = 100
PASSWORD = "k4-Bücher"

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Found:
    """What was found: by every finished trial's spec, by the walk-forward, and by the report."""

    trials: dict[str, Any]
    walk: bytes
    report: dict[str, pd.DataFrame]


def wait_until(true):
    deadline = time.monotonic() + 1500
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def results(study):
    """Of every finished trial by its spec: loss, its curve, probabilities and weights."""
    found = {}
    for trial in study.finished():
        run_id = trial.user_attrs["run_id"]
        history = study.client.get_metric_history(run_id, "val/loss")
        days = pd.read_parquet(study.client.download_artifacts(run_id, "predictions/val.parquet"))
        weights = load_file(study.client.download_artifacts(run_id, "best.safetensors"))
        curve = {each.step: each.value for each in history}
        bits = {name: array.tobytes() for name, array in weights.items()}
        found[trial.user_attrs["spec_hash"]] = trial.value, curve, days["p"].to_numpy().tobytes(), bits
    return found


def walked(study):
    """Probabilities of the study's only walk-forward."""
    (run,) = study.runs(WALK_FORWARD_ROLE, status="FINISHED")
    days = pd.read_parquet(BytesIO(read_artifact(study.client, run, PREDICTIONS)))
    return days["p"].to_numpy().tobytes()


def reported(page):
    """Tables of a report, without what names runs and their order, which is by those names."""
    tables = {path.name: pd.read_csv(path) for path in sorted(Path(page).parent.rglob("*.csv"))}
    own = {name: [c for c in table if "run" not in c and "seconds" not in c] for name, table in tables.items()}
    return {name: table[own[name]].sort_values(own[name], ignore_index=True) for name, table in tables.items()}


@pytest.fixture(scope="session")
def expected(tmp_path_factory):
    """What this process finds for the study's first trials, walked forward and reported."""
    directory = tmp_path_factory.mktemp("expected")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        request = HpoRequest(**SETTINGS, study="s", trials=TRIALS)
        plan, dataset = make_plan(request, root=directory / "data")
        stores = resolve_stores(f"sqlite:///{directory}/mlflow.db")
        study = open_study(stores, request, plan)
        runner = TrialRunner(study, dataset, device="cpu", report=lambda event: None, should_stop=lambda: False)
        for _ in range(TRIALS):
            runner.run_next()
        asked = WalkForwardRequest(what="s", study="", workers="1", device="cpu", **WALK)
        assert run_walk_forward(stores, asked, Console(quiet=True)) == 0
        page = write_report(stores, ["s"], n_resamples=RESAMPLES, say=lambda line: None)
        return Found(results(study), walked(study), reported(page))


@pytest.fixture
def east(machine):
    return machine("east")


@pytest.fixture
def study_of(monkeypatch, storage_url, east):
    def load(name, storage=storage_url):
        monkeypatch.chdir(east.directory)
        return load_study(resolve_stores(east.environment["MLFLOW_TRACKING_URI"], storage), name)

    return load


def assert_whole(study, expected):
    """Every trial once, nothing RUNNING, and what one machine finds."""
    trials = study.schedule.get_trials()
    assert not [t for t in trials if t.state == TrialState.RUNNING] and not study.runs(status="RUNNING")
    found = results(study)
    assert found == {spec: expected.trials[spec] for spec in found}
    specs = [t.user_attrs["spec_hash"] for t in trials if t.state == TrialState.COMPLETE]
    assert len(specs) == len(set(specs)) == TRIALS
    finished = [run for run in study.runs("trial") if run.info.status == "FINISHED"]
    assert len(finished) == TRIALS


def in_epoch(study, least=1):
    """Trials that run and have ended an epoch."""
    study.schedule._thread_local.cached_all_trials = None
    running = study.schedule.get_trials(states=(TrialState.RUNNING,))
    return [t for t in running if len(t.intermediate_values) >= least]


def start(east, cluster, name, study_of, at_work=2):
    """Start the command, and wait until so many trials have ended an epoch."""
    process = east.start(*HPO, name, "--address", cluster.address)
    for line in process.stdout:
        if line.startswith("study"):
            break
        assert "error" not in line, line
    study = study_of(name)
    wait_until(lambda: len(in_epoch(study)) >= at_work or process.poll() is not None)
    assert process.poll() is None, process.communicate()[0]
    return process, study


def stop_in_trial(process, cluster, study):
    """Have the second node stand still in the midst of its trial, and of the other node's: both trials' runs."""
    while True:
        wait_until(lambda: len(in_epoch(study)) == 2 or process.poll() is not None)
        assert process.poll() is None, process.communicate()[0]
        cluster.stop_node()
        runs = {int(run.data.tags[TRIAL_NUMBER]): run for run in study.runs("trial", status="RUNNING")}
        if runs.keys() == {trial.number for trial in in_epoch(study)} and len(runs) == 2:
            return runs
        cluster.continue_node()


@pytest.fixture
def guarded(postgres):
    """Address of a storage whose role needs a password, and its name."""
    postgres.ask(f"ALTER ROLE {GUARDED} PASSWORD '{PASSWORD}'")
    name = postgres.create("optuna", owner=GUARDED)
    postgres.ask(f"REASSIGN OWNED BY patchscale TO {GUARDED}", database=name)
    return postgres.url(name, user=GUARDED, password=PASSWORD)


@pytest.mark.lesson("L29")
@pytest.mark.lesson("L41")
def test_two_nodes_find_what_one_machine_finds_to_the_last_bit_and_leave_no_password(
    east, cluster, study_of, expected, guarded
):
    given = {"PATCHSCALE_STORAGE": guarded}

    def on_ray(command, *arguments):
        process = east.start(command, *arguments, "--engine", "ray", "--address", cluster.address, **given)
        seen = []
        with ThreadPoolExecutor(1) as reader:
            lines = reader.submit(process.stdout.read)
            while process.poll() is None:
                for actor in cluster.actors():
                    with suppress(psutil.Error):
                        seen.append(" ".join(actor.cmdline()))
                time.sleep(0.5)
        assert process.returncode == 0 and seen, lines.result()
        busy.extend(seen)
        said.append(lines.result())

    said, busy = [], []
    on_ray("campaign", *CAMPAIGN)
    name = re.search(r"study (\S+)$", "".join(said), re.MULTILINE)[1]
    on_ray("supplement", name)
    on_ray("walkforward", name, "--trial", "0", "--first-year", "2015", "--last-year", "2016", "--seeds", "1")
    said.append(east.run("report", name, "--resamples", str(RESAMPLES), **given))
    text = "".join(said)
    assert f"[{TRIALS - 1}/{TRIALS - 1}]" in text and f"[{TRIALS}/{TRIALS}]" in text and "unasked" not in text, text
    assert "nothing is missing any more" in text, text
    study = study_of(name, guarded)
    assert_whole(study, expected)
    assert walked(study) == expected.walk
    here = reported(said[-1].strip().splitlines()[-1])
    assert here.keys() == expected.report.keys() and here
    for name, table in here.items():
        pd.testing.assert_frame_equal(table, expected.report[name], check_exact=True)
    wait_until(lambda: not cluster.actors())
    files = [path for path in (*cluster.directory.rglob("*"), *east.directory.rglob("*")) if path.is_file()]
    assert any("raylet" in path.name for path in files), "the cluster's own logs are among them"
    shown = {"outputs": text, "processes": "".join(busy)}
    shown |= {str(path): path.read_bytes().decode(errors="replace") for path in files}
    assert [name for name, held in shown.items() if PASSWORD in held or "B%C3%BCcher" in held] == []


@pytest.mark.lesson("L41")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--address", "127.0.0.1:9"], "address must be that of a Ray cluster"),
        (["--gpus-per-trial", "0.5"], "a trial needs a node with a core and 0.5 GPU, got none"),
        (["--tracking-uri", "sqlite:///a.db", "--storage", "sqlite:///b.db"], "every node of the cluster can reach"),
    ],
)
def test_what_a_cluster_can_not_do_is_said_in_one_line(east, cluster, arguments, said):
    given = [] if "--address" in arguments else ["--address", cluster.address]
    *_, line = east.run(*HPO, "refused", *arguments, *given, code=2).strip().splitlines()
    assert line.startswith("error: ") and said in line, line


@pytest.mark.lesson("L29")
@pytest.mark.lesson("L40")
def test_a_killed_driver_ctrl_c_a_node_that_dies_and_a_database_that_restarts_lose_nothing(
    east, cluster, postgres, study_of, expected
):
    process, study = start(east, cluster, "ray-killed", study_of)
    assert len(cluster.actors()) == 2
    stop_in_trial(process, cluster, study)
    process.kill()
    process.wait()
    wait_until(lambda: len(cluster.actors()) < 2)
    cluster.continue_node()
    wait_until(lambda: not cluster.actors())
    killed = study.runs("trial", status="RUNNING")
    assert killed, "in the midst of a trial"

    process, study = start(east, cluster, "ray-killed", study_of, at_work=1)
    os.kill(process.pid, signal.SIGINT)
    out = process.communicate()[0]
    assert process.returncode == 128 + signal.SIGINT and "stopping after the current epochs" in out, out
    assert "unasked" not in out and "the same command continues" in out, out
    assert not in_epoch(study, least=0) and not study.runs(status="RUNNING")
    wait_until(lambda: not cluster.actors())

    process, study = start(east, cluster, "ray-killed", study_of)
    at_work = stop_in_trial(process, cluster, study)
    postgres.restart(signal.SIGKILL)
    cluster.kill_node()
    out = process.communicate()[0]
    assert process.returncode == 0, out
    assert out.count("a worker ended unasked: node") == 1 and "was lost" in out and "will be run again" in out, out
    assert_whole(study, expected)
    trials = study.schedule.get_trials()
    (again,) = [t for t in trials if t.user_attrs.get("retry_of") in at_work]
    assert (again.state, again.user_attrs["forced"]) == (TrialState.COMPLETE, "extreme")
    lost = trials[again.user_attrs["retry_of"]]
    first = trials[lost.user_attrs["retry_of"]] if "retry_of" in lost.user_attrs else None
    got_further = first is None or max(lost.intermediate_values) > max(first.intermediate_values, default=0)
    sent = json.loads(at_work[lost.number].data.tags[SENT])["epoch"]
    run = study.client.get_run(again.user_attrs["run_id"])
    assert int(run.data.tags["resume.after_epoch"]) == sent, "on the other node, after what the lost one had sent"
    assert again.user_attrs["retries"] == lost.user_attrs.get("retries", 0) + (not got_further), "as of any death"
    resumed = {run.info.run_id for run in study.runs("trial") if "resume.after_epoch" in run.data.tags}
    assert resumed & {run.info.run_id for run in killed}, "in its own run, after the epoch that it had sent"


@pytest.mark.lesson("L29")
def test_a_node_of_other_versions_is_named_and_refused(east, two_nodes, study_of, tmp_path):
    """Last, after what leaves one node: a node that is started takes seconds."""
    cluster = two_nodes
    (tmp_path / "sitecustomize.py").write_text("import platform\nplatform.python_version = lambda: '3.11.99'\n")
    if cluster.is_whole:
        cluster.kill_node()
    cluster.add_node(str(tmp_path))
    try:
        *_, line = east.run(*HPO, "versions", "--address", cluster.address, code=2).strip().splitlines()
    finally:
        cluster.kill_node()
    assert line.startswith("error: every node must run what this one runs") and "Python 3.11.99, here 3.11." in line
    assert not study_of("versions").runs("trial", status="RUNNING")
