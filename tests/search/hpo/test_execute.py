import pandas as pd
import pytest

from pipeline.exceptions import LostLeaseError
from search.hpo.execute import close_study, work_on_study
from search.hpo.launcher import Launcher
from search.registry.packaging.kept_models import trial_models
from search.study.study import STOPPED
from search.tracking.artifacts import fetch_artifact
from search.tracking.lease import Lease
from search.workers.coordinator import Coordinator
from search.workers.pool import Workforce
from search.workers.progress import make_console
from search.workers.signals import Signals


@pytest.fixture
def work(stores):
    """Work on a study with a worker; its console goes to the output."""

    def run(study, **named):
        workforce = Workforce(stores=stores, n_workers=1, device="cpu", lock=0)
        with Signals() as signals:
            return work_on_study(study, workforce, make_console(), signals, **named)

    return run


@pytest.fixture
def stand_in(monkeypatch):
    """Let the coordinator do this instead of starting workers."""
    return lambda run: monkeypatch.setattr(Coordinator, "run", run)


def run_of(study):
    return study.client.get_run(study.run_id)


@pytest.mark.slow
@pytest.mark.lesson("L28")
def test_a_study_that_lacks_nothing_is_closed_complete_with_its_results(make_study, run_trials, work, capsys):
    study = run_trials(make_study(1), 1)
    ending = work(study)
    assert (ending.complete, ending.timed_out, ending.signal) == (True, False, None)
    run, (trial,) = run_of(study), study.finished()
    assert (run.info.status, run.data.tags["status.reason"], run.data.tags["study.state"]) == (
        "FINISHED",
        "complete",
        "complete",
    )
    assert run.data.metrics["best/loss"] == trial.value
    out = capsys.readouterr().out
    assert "1/1 trials done" in out
    assert "1 of the best trials became logged models" in out
    (model,) = trial_models(study)
    assert (model.status, model.source_run_id) == ("READY", trial.user_attrs["run_id"])
    assert out.count("warning: ^GSPC: open_equals_previous_close") == 1, "what the checks remarked, before the trials"


@pytest.mark.parametrize(
    "where", ["search.hpo.execute.keep_best_models", "search.registry.packaging.trial_models.save_form"]
)
def test_a_study_whose_models_cannot_be_made_is_complete_and_says_why(
    make_trained, work, stand_in, capsys, monkeypatch, where
):
    def refuse(*arguments):
        raise OSError("disk full")

    study = make_trained(1, 1)
    monkeypatch.setattr(where, refuse)
    stand_in(lambda coordinator: True)
    assert work(study).complete and run_of(study).info.status == "FINISHED"
    assert "no logged model of one of the best trials: OSError: disk full" in capsys.readouterr().out


@pytest.mark.lesson("L25")
def test_what_breaks_the_work_fails_the_run_with_its_cause_and_that_of_the_launcher(make_study, work, stand_in):
    study = make_study(1)
    launcher = Launcher(study.client, study.client.create_run("0").info.run_id)

    def fail(coordinator):
        raise OSError("disk full")

    stand_in(fail)
    with pytest.raises(OSError, match="disk full"):
        work(study, launcher=launcher)
    for run in (run_of(study), study.client.get_run(launcher.run_id)):
        assert (run.info.status, run.data.tags["status.reason"]) == ("FAILED", "OSError: disk full")
    assert "study.state" in run_of(study).data.tags, "results are brought up to date all the same"


@pytest.mark.lesson("L28")
@pytest.mark.parametrize(
    ("timed_out", "state", "stopped"), [(True, "stopped by timeout, 0/1", "timeout"), (False, "interrupted", "")]
)
def test_what_stops_the_work_kills_the_run_and_is_said(make_study, work, stand_in, capsys, timed_out, state, stopped):
    study = make_study(1)

    def stop(coordinator):
        coordinator.timed_out, coordinator.stopped_by = timed_out, 15
        return False

    stand_in(stop)
    ending = work(study)
    assert (ending.complete, ending.timed_out, ending.signal) == (False, timed_out, None if timed_out else 15)
    assert (run_of(study).info.status, run_of(study).data.tags["status.reason"]) == ("KILLED", state)
    assert study.schedule.user_attrs[STOPPED] == stopped
    assert "after 0/1; the same command continues" in capsys.readouterr().out


@pytest.mark.parametrize(("timed_out", "made"), [(True, 1), (False, 0)])
def test_what_was_stopped_by_timeout_has_models_and_what_was_interrupted_ends_at_once(
    make_trained, work, stand_in, timed_out, made
):
    def stop(coordinator):
        coordinator.timed_out = timed_out
        return False

    study = make_trained(2, 1)
    stand_in(stop)
    work(study)
    assert len(list(trial_models(study))) == made


@pytest.mark.lesson("L40")
def test_a_study_that_another_command_took_over_is_left_alone_and_only_the_launcher_ends(
    make_study, stores, stand_in, monkeypatch
):
    study = make_study(1)
    launcher = Launcher(study.client, study.client.create_run("0").info.run_id)

    def lose(*arguments):
        raise LostLeaseError("in use by process 7")

    stand_in(lambda coordinator: monkeypatch.setattr(Lease, "require", lose))
    workforce = Workforce(stores=stores, n_workers=1, device="cpu", lock=None, lease=Lease())
    with Signals() as signals, pytest.raises(LostLeaseError, match="process 7"):
        work_on_study(study, workforce, make_console(), signals, launcher=launcher)
    run = run_of(study)
    assert run.info.status == "RUNNING" and not {"study.state", "status.reason"} & set(run.data.tags)
    assert study.client.get_run(launcher.run_id).info.status == "KILLED"


@pytest.mark.slow
def test_a_study_that_is_stopped_before_its_target_is_incomplete(make_study, run_trials, work):
    study = run_trials(make_study(2), 1)
    assert not work(study, until=1).signal
    assert (run_of(study).info.status, run_of(study).data.tags["status.reason"]) == ("KILLED", "incomplete")


@pytest.mark.slow
@pytest.mark.lesson("L35")
def test_closing_brings_card_table_and_best_figures_up_to_date(make_study, run_trials):
    study = make_study(3)
    close_study(study, "queued")
    assert "best/loss" not in run_of(study).data.metrics
    run_trials(study, 2)
    close_study(study, "incomplete")
    run, best = run_of(study), min(study.finished(), key=lambda trial: trial.value)
    assert run.data.metrics["best/loss"] == best.value
    assert run.data.metrics["best/skill"] == best.user_attrs["result"]["skill"]
    tags = run.data.tags
    assert (tags["study.finished_trials"], tags["study.target_trials"], tags["study.state"]) == ("2", "3", "incomplete")
    assert "**incomplete: 2 of 3 trials finished.**" in tags["mlflow.note.content"]
    table = pd.read_csv(fetch_artifact(study.client, run, "trials.csv", None))
    assert table["loss"].dropna().tolist() == sorted(trial.value for trial in study.finished())
    assert list(table["state"]).count("waiting") == 4
