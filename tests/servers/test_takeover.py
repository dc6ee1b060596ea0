"""A machine dies, its disk with it: the same command from another one takes its study over, to the last bit."""

import shutil
import signal
import sys
import time

import pytest
from optuna.trial import TrialState

from model.training.resume import saved_epoch
from search.folds.kept import FOLDS, kept_outcomes
from search.registry.gc import leftover_sent
from search.results.trial_runs import recorded_trials
from search.study.heartbeat import HOST
from search.study.make_plan import make_plan
from search.study.reconcile import reconcile
from search.study.request import HpoRequest
from search.study.study import load_study, open_or_create_study
from search.tracking.artifacts import DIGEST
from search.tracking.state import SENT, TrainingState
from search.tracking.stores import resolve_stores
from search.trial.runner import TrialRunner

TRIALS, EPOCHS = 7, "6"
HPO = ["hpo", "--budget", "5K", "--tier", "r25", "--workers", "2", "--pruner", "none", "--trials", str(TRIALS)]
HPO += ["--max-epochs", EPOCHS, "--patience", EPOCHS, "--split", "2006-12-31/2008-12-31/2010-12-31", "--study"]

FALLS = """
import os, signal, sys
from search.tracking import state
state.SEND_SECONDS = 0.0  # as if an epoch took a minute
from search.study.study import load_study
from search.tracking.stores import resolve_stores
from search.trial.runner import TrialRunner

def fall(event):
    if event.get("epoch") == {epoch}:
        os.kill(os.getpid(), signal.SIGKILL)

study = load_study(resolve_stores(), sys.argv[1])
TrialRunner(study, study.load_data()[0], device="cpu", report=fall, should_stop=lambda: False).run_next()
"""

pytestmark = [pytest.mark.slow, pytest.mark.lesson("L29")]


@pytest.fixture
def study_of(monkeypatch, storage_url):
    def load(machine, name):
        monkeypatch.chdir(machine.directory)
        return load_study(resolve_stores(machine.environment["MLFLOW_TRACKING_URI"], storage_url), name)

    return load


def wait_until(true):
    deadline = time.monotonic() + 1500
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def curves(study):
    """Losses by epoch of every finished trial, by its spec."""
    found = {}
    for trial in study.finished():
        history = study.client.get_metric_history(trial.user_attrs["run_id"], "val/loss")
        found[trial.user_attrs["spec_hash"]] = trial.value, [(each.step, each.value) for each in history]
    return found


def test_the_same_command_from_another_machine_goes_on_where_a_dead_one_stood(machine, study_of):
    east, west, north = machine("east"), machine("west"), machine("north")
    process = east.start(*HPO, "fallen")
    for line in process.stdout:
        if line.startswith("[2/"):
            break
    study = study_of(west, "fallen")

    def running():
        return [run for run in study.runs("trial", status="RUNNING") if SENT in run.data.tags]

    wait_until(lambda: len(running()) == 2)
    lost = [t for t in study.schedule.get_trials(states=(TrialState.RUNNING,))]
    assert {t.user_attrs[HOST] for t in lost} == {"east"}
    east.destroy(process)
    said = west.run(*HPO, "fallen")
    assert f"{TRIALS}/{TRIALS}" in said and said.count("will be run again") >= 1, said

    states = [t.state for t in study.schedule.get_trials()]
    assert states.count(TrialState.COMPLETE) == TRIALS and TrialState.RUNNING not in states
    statuses = [run.info.status for run in study.runs("trial")]
    assert statuses == ["FINISHED"] * TRIALS, "a trial goes on in its own run"
    finished = study.finished()
    assert sum(t.user_attrs.get("forced") == "extreme" for t in finished) == 6
    assert len({t.user_attrs["spec_hash"] for t in finished}) == TRIALS
    resumed = [run for run in study.runs("trial") if "resume.after_epoch" in run.data.tags]
    assert resumed and all(int(run.data.tags["resume.after_epoch"]) >= 1 for run in resumed)
    assert not any("resume.refused" in run.data.tags for run in study.runs("trial"))

    north.run(*HPO, "whole", "--trials", "6")
    whole = study_of(north, "whole")
    mine, undisturbed = curves(study), curves(whole)
    same = mine.keys() & undisturbed.keys()
    assert len(same) >= 6, "a seventh is drawn by the number of its trial"
    assert {spec: mine[spec] for spec in same} == {spec: undisturbed[spec] for spec in same}, "each epoch once"
    kept, expected = (
        {t.run.data.params["spec_hash"]: digests(t.run) for t in recorded_trials(each)} for each in (study, whole)
    )
    assert {spec: kept[spec] for spec in same} == {spec: expected[spec] for spec in same}, "files too"
    for run in study.runs("trial"):
        paths = [each.path for each in study.client.list_artifacts(run.info.run_id)]
        assert "training" not in paths and SENT not in run.data.tags


def digests(run):
    return {name: value for name, value in run.data.tags.items() if name.startswith(DIGEST)}


def test_a_trial_of_folds_goes_on_in_its_fold_and_epoch_on_another_machine(machine, study_of, tmp_path):
    east, west, north = machine("east"), machine("west"), machine("north")
    asked = {"budget": "5K", "tier": "r25", "folds": 2, "max_epochs": 3}

    def made(on, name):
        study_of_its_own = make_plan(HpoRequest(**asked, study=name), root=tmp_path / "data")[0]
        stores = resolve_stores(on.environment["MLFLOW_TRACKING_URI"], on.environment["PATCHSCALE_STORAGE"])
        open_or_create_study(stores, study_of_its_own, trials=1, data_root=tmp_path / "data")
        return study_of(on, name)

    def run_next(study):
        events = []
        dataset, _ = study.load_data()
        TrialRunner(study, dataset, device="cpu", report=events.append, should_stop=lambda: False).run_next()
        return [event["epoch"] for event in events if event["event"] == "epoch"]

    made(north, "folds_fallen")
    process = east.start_program([sys.executable, "-c", FALLS.format(epoch=4), "folds_fallen"], interpreter=False)
    said = process.stdout.read()
    assert process.wait() == -signal.SIGKILL, said
    assert list(east.directory.rglob("*.safetensors")), "its state lay there"
    shutil.rmtree(east.directory)
    study = study_of(west, "folds_fallen")
    (lost,) = study.runs("trial", status="RUNNING")
    assert list(kept_outcomes(study.client, lost.info.run_id)) == ["2015-seed0"], "a fold had ended"
    assert any("was interrupted" in line for line in reconcile(study))
    assert run_next(study) == [5, 6], "nothing is trained twice"
    (run,) = study.runs("trial")
    assert (run.info.run_id, run.info.status) == (lost.info.run_id, "FINISHED")
    assert run.data.tags["resume.after_epoch"] == "1 of 2016-seed0" and "resume.refused" not in run.data.tags
    assert not {FOLDS, "training"} & {each.path for each in study.client.list_artifacts(run.info.run_id)}

    whole = made(north, "folds_whole")
    assert run_next(whole) == [1, 2, 3, 4, 5, 6]
    (expected,) = whole.runs("trial")
    assert digests(run) == digests(expected) and curves(study) == curves(whole)
    for year in (2015, 2016):
        history, undisturbed = (
            [(m.step, m.value) for m in each.client.get_metric_history(of.info.run_id, f"fold/{year}/val/loss")]
            for each, of in ((study, run), (whole, expected))
        )
        assert history == undisturbed and [step for step, _ in history] == [1, 2, 3]


def test_a_trial_that_was_taken_over_stops_and_leaves_run_and_trial_alone(machine, study_of, monkeypatch):
    east = machine("east")
    east.run(*HPO, "fenced", "--trials", "1")
    study = study_of(east, "fenced")
    dataset, _ = study.load_data()
    events, before = [], {}

    def take_over(event):
        events.append(event["event"])
        if event["event"] == "epoch":
            before["closed"] = reconcile(study_of(east, "fenced"))
            run = study.client.get_run(trial().user_attrs["run_id"])
            before["run"] = run.info.status, run.info.end_time, run.data.metrics, run.data.tags

    def trial():
        return study.schedule.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.FAIL))[-1]

    for stop in (False, True):
        events.clear()
        runner = TrialRunner(study, dataset, device="cpu", report=take_over, should_stop=lambda stop=stop: stop)
        runner.run_next()
        assert events == ["started", "epoch", "closed"], "it says no more of itself"
        assert any("was interrupted" in line for line in before["closed"])
        closed = trial()
        run = study.client.get_run(closed.user_attrs["run_id"])
        assert (run.info.status, run.info.end_time, run.data.metrics, run.data.tags) == before["run"]
        assert (closed.state, closed.user_attrs["end"], run.info.status) == (TrialState.FAIL, "interrupted", "KILLED")
        retries = [t for t in study.schedule.trials if t.user_attrs.get("retry_of") == closed.number]
        assert len(retries) == 1


def test_a_state_that_was_cut_short_or_is_gone_leaves_the_one_before_or_none(machine, study_of, tmp_path):
    east = machine("east")
    east.run(*HPO, "states", "--trials", "1")
    study = study_of(east, "states")
    run_id = study.start_run("x", role="work").run_id

    def state(where):
        return TrainingState(study.client, run_id, tmp_path / where / f"{run_id}.safetensors")

    def write(text):
        return lambda path: path.write_text(text)

    here = state("here")
    here.save(write("1"), 1)
    here.save(write("2"), 2)
    there = state("there")
    assert there.fetch(saved_epoch) == "" and there.path.read_text() == "1", "the second waits for its minute"
    here.send()
    assert state("there").fetch(lambda path: 1) == "" and there.path.read_text() == "2"
    assert [each.path for each in study.client.list_artifacts(run_id, "training")] == ["training/epoch-2"]
    there.path.write_text("further on")
    assert state("there").fetch(lambda path: 3) == "" and there.path.read_text() == "further on"
    study.client.log_text(run_id, "cut", f"training/epoch-2/{run_id}.safetensors")
    elsewhere = state("elsewhere")
    assert "gone or damaged" in elsewhere.fetch(saved_epoch) and not elsewhere.path.exists()
    (trial,) = study.finished()
    left = TrainingState(study.client, trial.user_attrs["run_id"], tmp_path / "left" / "state")
    left.save(write("1"), 1)
    assert leftover_sent(study) == [left.run_id], "of a trial that has ended"
    assert "1 leftover training states deleted" in east.run("gc", "states", "--keep", "1")
    assert leftover_sent(study) == [] and "training" not in [
        each.path for each in study.client.list_artifacts(left.run_id)
    ]
    here.remove()
    assert study.client.list_artifacts(run_id) == [] and SENT not in study.client.get_run(run_id).data.tags
    study.client.set_terminated(run_id)
