"""Trials on a Ray cluster: what one machine finds, to the last bit, whatever is killed meanwhile."""

import time

import pandas as pd
import pytest
from optuna.trial import TrialState
from safetensors.numpy import load_file

from search.hpo.command import open_study
from search.study.make_plan import make_plan
from search.study.request import HpoRequest
from search.study.study import load_study
from search.tracking.stores import resolve_stores
from search.trial.runner import TrialRunner

TRIALS, EXTREMES, EPOCHS = 3, 6, 3
SETTINGS = {"budget": "5K", "tier": "r25", "max_epochs": EPOCHS, "patience": EPOCHS, "pruner": "none", "keep": "all"}
HPO = ["hpo", *(f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()), "--engine", "ray"]
HPO += ["--trials", str(TRIALS), "--study"]

pytestmark = pytest.mark.slow


def wait_until(true):
    deadline = time.monotonic() + 1500
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


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


@pytest.fixture(scope="session")
def expected(tmp_path_factory):
    """What this process finds for the study's first trials."""
    directory = tmp_path_factory.mktemp("expected")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        request = HpoRequest(**SETTINGS, study="expected")
        plan, dataset = make_plan(request, root=directory / "data")
        study = open_study(resolve_stores(f"sqlite:///{directory}/mlflow.db"), request, plan)
        runner = TrialRunner(study, dataset, device="cpu", report=lambda event: None, should_stop=lambda: False)
        for _ in range(EXTREMES):
            runner.run_next()
        return results(study)


@pytest.fixture
def east(machine):
    return machine("east")


@pytest.fixture
def study_of(monkeypatch, storage_url, east):
    def load(name):
        monkeypatch.chdir(east.directory)
        return load_study(resolve_stores(east.environment["MLFLOW_TRACKING_URI"], storage_url), name)

    return load


def assert_whole(study, expected, count=TRIALS):
    """Every trial once, nothing RUNNING, and what one machine finds."""
    trials = study.schedule.get_trials()
    assert not [t for t in trials if t.state == TrialState.RUNNING] and not study.runs(status="RUNNING")
    found = results(study)
    assert found == {spec: expected[spec] for spec in found}
    specs = [t.user_attrs["spec_hash"] for t in trials if t.state == TrialState.COMPLETE]
    assert len(specs) == len(set(specs)) == count
    finished = [run for run in study.runs("trial") if run.info.status == "FINISHED"]
    assert len(finished) == count


def in_epoch(study, least=1):
    """Trials that run and have ended an epoch."""
    study.schedule._thread_local.cached_all_trials = None
    running = study.schedule.get_trials(states=(TrialState.RUNNING,))
    return [t for t in running if len(t.intermediate_values) >= least]


def start(east, cluster, name, study_of, at_work=2, trials=TRIALS):
    """Start the command, and wait until so many trials have ended an epoch."""
    process = east.start(*HPO, name, "--trials", str(trials), "--address", cluster.address)
    for line in process.stdout:
        if line.startswith("study"):
            break
        assert "error" not in line, line
    study = study_of(name)
    wait_until(lambda: len(in_epoch(study)) >= at_work or process.poll() is not None)
    assert process.poll() is None, process.communicate()[0]
    return process, study


@pytest.mark.lesson("L29")
def test_two_nodes_find_what_one_machine_finds_to_the_last_bit(east, cluster, study_of, expected):
    said = east.run(*HPO, "ray-equal", "--address", cluster.address)
    assert f"[{TRIALS}/{TRIALS}]" in said and "unasked" not in said, said
    assert_whole(study_of("ray-equal"), expected)
    wait_until(lambda: not cluster.actors())


@pytest.mark.lesson("L29")
def test_a_node_that_dies_in_mid_trial_is_noticed_and_its_trial_goes_on_on_the_other(east, cluster, study_of, expected):
    process, study = start(east, cluster, "ray-node", study_of, trials=EXTREMES)
    cluster.kill_node()
    out = process.communicate()[0]
    assert process.returncode == 0, out
    assert out.count("a worker ended unasked: node") == 1 and "was lost" in out and "will be run again" in out, out
    assert_whole(study, expected, EXTREMES)
    (again,) = [t for t in study.schedule.get_trials() if "retry_of" in t.user_attrs]
    assert (again.state, again.user_attrs["retries"], again.user_attrs["forced"]) == (TrialState.COMPLETE, 0, "extreme")
    assert int(study.client.get_run(again.user_attrs["run_id"]).data.tags["resume.after_epoch"]) >= 1


@pytest.mark.lesson("L40")
def test_a_driver_that_is_killed_takes_its_actors_along_and_the_next_command_takes_over(
    east, cluster, study_of, expected
):
    process, study = start(east, cluster, "ray-driver", study_of)
    assert len(cluster.actors()) == 2
    process.kill()
    process.wait()
    wait_until(lambda: not cluster.actors())
    assert len(study.runs("trial", status="RUNNING")) == 2
    said = east.run(*HPO, "ray-driver", "--address", cluster.address)
    assert said.count("will be run again with the same parameters") == 2, said
    assert_whole(study, expected)
