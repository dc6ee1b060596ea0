from dataclasses import replace

import pytest

from model.baselines import BASELINES, Boosting
from search.folds.forecast import Job, Outcome
from search.study.reconcile import close_stale
from search.tracking.tags import WALK_FORWARD_ROLE
from search.trial.baselines import SETTINGS_HASH
from search.walk_forward.runs import (
    WalkForwardRun,
    find_finished,
    walk_forward_params,
)
from search.walk_forward.subject import Subject

SETTINGS = (2015, 2016), 3


@pytest.fixture
def params(study, subject):
    return walk_forward_params(study, subject, *SETTINGS)


@pytest.fixture
def run(study, subject, params):
    return WalkForwardRun.open(study, subject, params, [])


def status(study, run_id):
    return study.client.get_run(run_id).info.status


def test_the_hash_is_over_subject_years_and_seeds(study, subject, spec):
    others = [
        Subject(name="other name", spec=replace(spec, seed=5)),
        Subject(name="baseline", baseline=BASELINES["boosting"]),
        Subject(name="baseline", baseline=Boosting(max_iter=7)),
    ]
    settings = [
        SETTINGS,
        ((2014, 2016), 3),
        ((2015, 2015), 3),
        ((2015, 2016), 2),
    ]
    found = [walk_forward_params(study, each, *SETTINGS)[SETTINGS_HASH] for each in others]
    found += [walk_forward_params(study, subject, *each)[SETTINGS_HASH] for each in settings]
    assert len(set(found)) == len(found)
    renamed = replace(subject, name="another name")
    assert walk_forward_params(study, renamed, *SETTINGS) == walk_forward_params(study, subject, *SETTINGS)


@pytest.mark.slow
@pytest.mark.lesson("L1")
@pytest.mark.lesson("L35")
def test_a_run_says_what_it_is_and_whose(study, subject, params, run):
    held = study.client.get_run(run.run_id)
    tags = held.data.tags
    assert held.data.params == params
    assert tags["run.role"] == "walkforward" and tags["study.name"] == study.plan.study
    assert tags["mlflow.parentRunId"] == study.run_id and tags["record.state"] == "valid"
    assert tags["walkforward.subject"] == subject.name and "git.commit" in tags
    assert held.info.run_name == "walk-forward 2015-2016 trial 0 tiny"


@pytest.mark.lesson("L29")
def test_what_is_kept_is_read_back_and_a_file_cut_off_is_none(study, run):
    jobs = [Job(year=2015, seed=0), Job(year=2015, seed=1, n_epochs=2), Job(year=2016, seed=0, n_epochs=2)]
    assert run.kept() == {}
    outcomes = [Outcome(n_epochs=2, seconds=0.25, p=(0.1, 1 / 3)[: 2 * bool(job.n_epochs)]) for job in jobs]
    for job, outcome in zip(jobs, outcomes, strict=True):
        run.keep(job, outcome)
    assert run.kept() == dict(zip(("2015-epochs", "2015-seed1", "2016-seed0"), outcomes, strict=True))
    study.client.log_text(run.run_id, '{"n_epochs": 2, "seconds": 0.25, "p": [0.1, 0.3', "folds/2015-seed1.json")
    assert sorted(run.kept()) == ["2015-epochs", "2016-seed0"]


@pytest.mark.lesson("L29")
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), ValueError("no luck")])
def test_an_ended_run_is_gone_on_with_and_a_finished_one_is_not(study, subject, params, run, error):
    run.writer.stop(error)
    assert status(study, run.run_id) == ("FAILED" if isinstance(error, ValueError) else "KILLED")
    again = WalkForwardRun.open(study, subject, params, [])
    assert again.run_id == run.run_id and status(study, run.run_id) == "RUNNING"
    other = walk_forward_params(study, subject, (2015, 2016), 2)
    assert WalkForwardRun.open(study, subject, other, []).run_id != run.run_id
    assert find_finished(study, params) is None
    study.client.set_terminated(run.run_id, "FINISHED")
    assert find_finished(study, params).info.run_id == run.run_id
    assert WalkForwardRun.open(study, subject, params, []).run_id != run.run_id


@pytest.mark.lesson("L9")
def test_a_run_of_other_code_is_not_gone_on_with(study, subject, params, run):
    run.writer.stop(KeyboardInterrupt())
    study.client.set_tag(run.run_id, "git.commit", "0" * 40)
    assert WalkForwardRun.open(study, subject, params, []).run_id != run.run_id


def test_stale_runs_are_closed(study, run):
    close_stale(study, WALK_FORWARD_ROLE)
    assert status(study, run.run_id) == "KILLED"
    assert [each.info.run_id for each in study.runs(WALK_FORWARD_ROLE)] == [run.run_id]
    assert study.client.get_run(run.run_id).data.tags["status.reason"] == "killed"


@pytest.mark.lesson("L1")
def test_a_record_that_does_not_read_back_is_failed(study, subject, params, monkeypatch):
    from mlflow.entities import Param

    from pipeline.exceptions import RecordError

    monkeypatch.setattr("mlflow.entities.Param", lambda name, value: Param(name, value + "?"))
    with pytest.raises(RecordError, match="must read back"):
        WalkForwardRun.open(study, subject, params, [])
    (run,) = study.runs(WALK_FORWARD_ROLE)
    assert run.info.status == "FAILED" and run.data.tags["record.state"].startswith("invalid: changed")
    assert find_finished(study, params) is None
