import pytest
from mlflow.entities import Param

from model.spec.budget import Budget
from model.spec.spec import Spec
from search.audit.audit import _not_in_grid, audit_study
from search.audit.text import issues_in_words
from search.space.axes import Axes
from search.space.grid import make_grid
from search.tracking.artifacts import PREDICTIONS, fetch_artifact
from search.tracking.tags import PARENT, RECORD_STATE, ROLE, STUDY, TRIAL_NUMBER


@pytest.fixture
def study(make_trained):
    return make_trained(2, 2)


def run_of(study, number):
    return study.client.get_run(study.schedule.trials[number].user_attrs["run_id"])


@pytest.mark.slow
@pytest.mark.lesson("L28")
def test_below_target_is_missing(make_trained):
    study = make_trained(8, 6)
    assert audit_study(study).missing == ["6 of 8 trials finished"]


@pytest.mark.slow
@pytest.mark.lesson("L31")
@pytest.mark.lesson("L9")
def test_coverage_is_the_records_not_the_schedules(study):
    run = run_of(study, 0)
    study.client.delete_run(run.info.run_id)
    found = audit_study(study)
    assert sum(found.extremes.values()) == 1
    assert found.disagreements == (
        f"trial 0 is complete in the schedule, but the record has no run {run.info.run_id[:8]}",
    )


@pytest.mark.lesson("L1")
@pytest.mark.lesson("L2")
def test_a_record_that_does_not_round_trip_is_named_and_covers_nothing(study, alter):
    run = run_of(study, 1)
    alter(run.info.run_id, "n_layers", "6")
    found = audit_study(study)
    assert len(found.invalid) == 1
    assert found.invalid[0].startswith(f"trial 1 (run {run.info.run_id[:8]}): a record's params must make a spec")
    assert sum(found.extremes.values()) == 1
    assert any("record does not round-trip" in line for line in found.missing)


def test_a_record_that_was_marked_invalid_stays_so(study):
    run = run_of(study, 0)
    study.client.set_tag(run.info.run_id, RECORD_STATE, "invalid: changed n_heads")
    assert audit_study(study).invalid == (f"trial 0 (run {run.info.run_id[:8]}): changed n_heads",)


@pytest.mark.lesson("L9")
def test_a_record_of_another_study_is_named(study, alter):
    run = run_of(study, 0)
    params = {**run.data.params, "seed": "7"}
    params.pop("spec_hash")
    spec = study.plan.spec(Spec.from_params(run.data.params).architecture, {})
    for name in ("seed", "spec_hash"):
        alter(run.info.run_id, name, {**spec.params(), "seed": "7"}[name])
    assert "spec_hash must be that of its spec" in audit_study(study).invalid[0]


@pytest.mark.lesson("L31")
def test_equal_specs_are_found_in_the_record(study):
    run = run_of(study, 0)
    tags = {name: run.data.tags[name] for name in (ROLE, STUDY, PARENT, RECORD_STATE)}
    twin = study.client.create_run(study.experiment_id, tags={**tags, TRIAL_NUMBER: "9"}).info.run_id
    params = [Param(name, value) for name, value in run.data.params.items()]
    study.client.log_batch(twin, params=params)
    study.client.set_terminated(twin, "FINISHED")
    found = audit_study(study)
    assert found.duplicates == (f"{run.data.params['architecture']} in trials 0, 9",)
    assert found.disagreements == (
        f"trial 9 (run {twin[:8]}) is finished in the record, but no finished trial of the schedule names it",
    )
    assert audit_study(study, running=True).disagreements == ()


def test_every_value_that_was_asked_for_and_is_not_in_the_grid_is_named():
    grid = make_grid(Budget(text="2M"), n_features=25, axes=Axes(n_layers=(4, 48, 160, 180)))
    assert _not_in_grid(grid)["n_layers"] == [160, 180]


def test_standard_values_inside_the_grid_that_it_lacks_are_named(study):
    assert audit_study(study).not_in_grid == {}


@pytest.mark.lesson("L39")
def test_a_finished_trial_whose_predictions_are_gone_is_named(study, tmp_path):
    run = run_of(study, 1)
    assert audit_study(study).lost == ()
    fetch_artifact(study.client, run, PREDICTIONS, tmp_path).unlink()
    found = audit_study(study)
    assert found.lost == (f"{PREDICTIONS} of trial 1 (run {run.info.run_id[:8]})",)
    assert f"evidence is gone: {found.lost[0]}" in found.missing
    assert "1 finished trial without predictions" in issues_in_words(found)
