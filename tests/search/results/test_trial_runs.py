import pytest
from mlflow.entities import Param

from search.results.trial_runs import recorded_trials
from search.tracking.tags import RECORD_STATE, ROLE, STUDY, TRIAL_NUMBER


@pytest.fixture
def study(make_study):
    return make_study(2)


@pytest.fixture
def add(study):
    """Put a trial's run into the record."""
    spec = study.plan.spec(study.plan.grid().architectures[0], {})

    def create(number, *, status="FINISHED", params=None, loss=0.5, **tags):
        named = {ROLE: "trial", STUDY: study.plan.study, TRIAL_NUMBER: str(number), RECORD_STATE: "valid"}
        run_id = study.client.create_run(study.experiment_id, tags={**named, **tags}).info.run_id
        study.client.log_batch(
            run_id, params=[Param(name, value) for name, value in (spec.params() if params is None else params).items()]
        )
        study.client.log_metric(run_id, "best/loss", loss)
        study.client.set_terminated(run_id, status)
        return run_id, spec

    return create


@pytest.mark.lesson("L1")
def test_a_trial_reads_back_as_it_was_recorded(study, add):
    run_id, spec = add(3, loss=0.25)
    (trial,) = recorded_trials(study)
    assert (trial.run_id, trial.number, trial.loss, trial.spec) == (run_id, 3, 0.25, spec)
    assert trial.finished and trial.problem == "" and trial.name == f"trial 3 (run {run_id[:8]})"


@pytest.mark.slow
def test_trials_come_by_number_and_only_those_of_this_study(study, add):
    for number in (9, 0, 10):
        add(number, status="KILLED" if number else "FINISHED")
    add(4, **{STUDY: "another"})
    add(5, **{ROLE: "baseline"})
    found = recorded_trials(study)
    assert [trial.number for trial in found] == [0, 9, 10]
    assert [trial.finished for trial in found] == [True, False, False]


@pytest.mark.lesson("L2")
def test_a_finished_record_that_makes_no_spec_has_a_problem(study, add):
    _, spec = add(0)
    add(1, params={**spec.params(), "n_layers": "96"})
    whole, broken = recorded_trials(study)
    assert whole.problem == "" and broken.spec is None
    assert "a record's params must make a spec" in broken.problem


@pytest.mark.slow
def test_a_trial_that_ended_before_its_params_were_written_has_none(study, add):
    add(0, status="FAILED", params={})
    (trial,) = recorded_trials(study)
    assert (trial.spec, trial.problem) == (None, "")


@pytest.mark.lesson("L1")
def test_a_record_that_was_marked_invalid_is_not_trusted_although_it_makes_a_spec(study, add):
    add(0, **{RECORD_STATE: "invalid: missing n_heads"})
    (trial,) = recorded_trials(study)
    assert trial.spec is not None and trial.problem == "invalid: missing n_heads"
