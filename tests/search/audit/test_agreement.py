import pytest
from mlflow.entities import Metric, Run, RunData, RunInfo, RunTag
from optuna.trial import TrialState, create_trial

from search.audit.agreement import disagreements
from search.audit.audit import audit_study
from search.results.trial_runs import RecordedTrial


@pytest.fixture
def spec(planned):
    plan, _, _ = planned
    return plan.spec(plan.grid().architectures[0], {})


@pytest.fixture
def recorded(spec):
    """A trial of the record."""

    def make(run_id="run-0", *, status="FINISHED", loss=0.5, number=0, spec=spec):
        info = RunInfo(run_id, "1", "user", status, 0, 0, "active")
        data = RunData([Metric("best/loss", loss, 0, 0)], [], [RunTag("trial.number", str(number))])
        return RecordedTrial(run=Run(info, data), spec=spec, problem="")

    return make


@pytest.fixture
def scheduled(spec):
    """A trial of the schedule; an attribute that is None is absent."""

    def make(**changed):
        attributes = {"run_id": "run-0", "spec_hash": spec.hash, **changed}
        trial = create_trial(value=0.5, user_attrs={name: text for name, text in attributes.items() if text})
        trial.number = 0
        return trial

    return make


@pytest.mark.slow
def test_stores_that_say_the_same_agree(scheduled, recorded):
    trials = [scheduled(), scheduled(run_id="run-1")]
    assert list(disagreements(trials, [recorded(), recorded("run-1", number=1)], running=False)) == []


@pytest.mark.lesson("L31")
@pytest.mark.parametrize(
    ("trial", "run", "words"),
    [
        ({"run_id": None}, {}, "names no run"),
        ({"run_id": "elsewhere"}, {}, "the record has no run elsewher"),
        ({}, {"status": "KILLED"}, "run run-0 is KILLED"),
        ({}, {"loss": 0.25}, "its loss is 0.5 there and 0.25 in run run-0"),
        ({"spec_hash": "another"}, {}, "its spec is another there and "),
    ],
)
def test_a_trial_that_is_complete_in_the_schedule_alone_is_named_with_the_reason(
    scheduled, recorded, trial, run, words
):
    found = list(disagreements([scheduled(**trial)], [recorded(**run)], running=True))
    assert len(found) == 1
    assert found[0].startswith(f"trial 0 is complete in the schedule, but {words}")


def test_a_run_that_no_trial_names_is_said_once_nobody_works(recorded):
    (found,) = disagreements([], [recorded(number=9)], running=False)
    assert found == "trial 9 (run run-0) is finished in the record, but no finished trial of the schedule names it"
    assert list(disagreements([], [recorded(number=9)], running=True)) == []
    assert list(disagreements([], [recorded(status="RUNNING")], running=False)) == []


def test_a_reused_result_has_no_run_of_its_own_and_an_unfinished_trial_is_not_compared(scheduled):
    unfinished = create_trial(state=TrialState.FAIL, user_attrs={"run_id": "run-0"})
    assert list(disagreements([scheduled(reuses=1), unfinished], [], running=False)) == []


@pytest.mark.slow
def test_stores_that_differ_in_a_result_disagree(make_trained):
    study = make_trained(2, 2)
    first, second = (study.client.get_run(trial.user_attrs["run_id"]) for trial in study.schedule.trials[:2])
    study.client.log_metric(first.info.run_id, "best/loss", 0.1, step=1)
    study.client.set_terminated(second.info.run_id, "KILLED")
    found = audit_study(study).disagreements
    assert f"and 0.1 in run {first.info.run_id[:8]}" in found[0]
    assert found[1] == f"trial 1 is complete in the schedule, but run {second.info.run_id[:8]} is KILLED"
