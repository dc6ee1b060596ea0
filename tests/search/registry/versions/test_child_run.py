import pytest

from search.registry.versions.child_run import child_run
from search.study.reconcile import close_stale


def ended(study, role):
    (run,) = study.client.search_runs([study.experiment_id], f"tags.`run.role` = '{role}'")
    return run.info.status, run.data.tags["status.reason"], run.data.tags["mlflow.parentRunId"]


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (None, "FINISHED", "complete"),
        (ValueError("no"), "FAILED", "ValueError: no"),
        (KeyboardInterrupt(), "KILLED", "interrupted"),
    ],
    ids=["finished", "failed", "killed"],
)
def test_a_run_ends_as_its_work_ended(make_study, error, status, reason):
    study = make_study(1)
    try:
        with child_run(study, role="work", name="x", tags={"a": "b"}):
            if error is not None:
                raise error
    except (ValueError, KeyboardInterrupt):
        assert error is not None
    assert ended(study, "work") == (status, reason, study.run_id)


def test_what_a_kill_left_running_is_closed(make_study):
    study = make_study(1)
    study.client.create_run(
        study.experiment_id,
        tags={"run.role": "work", "study.name": study.plan.study, "mlflow.parentRunId": study.run_id},
    )
    close_stale(study, "work")
    assert ended(study, "work") == ("KILLED", "killed", study.run_id)
