from __future__ import annotations

from pathlib import Path

import mlflow
import pytest

from pipeline.exceptions import StoreLostError
from search.registry.packaging import trial_models as making
from search.registry.packaging.kept_models import (
    best_trials,
    delete_models,
    keep_best_models,
    losing_models,
    trial_models,
)
from search.results.trial_runs import recorded_trials
from search.tracking.artifacts import CHECKPOINT
from search.tracking.location import local_path
from search.tracking.tags import TRIAL_RUN


@pytest.fixture
def study(make_trained):
    return make_trained(3, 3)


def by_loss(study):
    return [each.run_id for each in sorted(recorded_trials(study), key=lambda each: (each.loss, each.number))]


def kept(study):
    """Runs whose models there are, the newest first, as the Models tab shows them."""
    found = sorted(trial_models(study), key=lambda model: model.creation_timestamp, reverse=True)
    assert all(model.status == "READY" for model in found)
    return [model.tags[TRIAL_RUN] for model in found]


def ids(study):
    return {model.model_id for model in trial_models(study)}


def outputs(study):
    return {model.model_id for run_id in by_loss(study) for model in study.client.get_run(run_id).outputs.model_outputs}


def test_the_best_are_kept_and_a_second_close_changes_nothing(study):
    assert keep_best_models(study, 2) == (2, ())
    assert kept(study) == by_loss(study)[:2], "the best is made last, and shown first"
    before = ids(study)
    assert keep_best_models(study, 2) == (0, ())
    assert ids(study) == before == outputs(study)


def test_as_many_as_keep_their_weights_and_five_where_all_do(study, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "search.registry.packaging.kept_models.best_trials", lambda study, count: asked.append(count) or []
    )
    for keep in ("2", "all"):
        study.schedule.set_user_attr("keep", keep)
        keep_best_models(study)
    assert asked == [2, 5]


def test_a_trial_that_lost_its_place_loses_its_model_and_keeps_its_record(study):
    keep_best_models(study)
    best, *lost = by_loss(study)
    places = [Path(local_path(model.artifact_location)) for model in losing_models(study, 1)]
    assert len(places) == len(lost) == 2
    before = [study.client.get_run(run_id).to_dictionary() for run_id in lost]
    assert keep_best_models(study, 1) == (0, ())
    assert kept(study) == [best] and not any(place.parent.exists() for place in places)
    assert [study.client.get_run(run_id).to_dictionary() for run_id in lost] == before
    assert all((Path(local_path(each.run.info.artifact_uri)) / CHECKPOINT).exists() for each in recorded_trials(study))


@pytest.mark.parametrize("kind", ["by its button", "a copy of that", "by its path"])
def test_what_a_version_was_made_of_is_never_deleted(study, kind, monkeypatch):
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", study.client.tracking_uri)
    keep_best_models(study)
    client, used = study.client, losing_models(study, 1)[0]
    client.create_registered_model("m")
    source = used.artifact_location if kind == "by its path" else f"models:/{used.model_id}"
    version = client.create_model_version("m", source, used.source_run_id)
    if kind == "a copy of that":
        client.copy_model_version(f"models:/m/{version.version}", "other")
        client.delete_model_version("m", version.version)
    assert used.model_id not in [model.model_id for model in losing_models(study, 1)]
    keep_best_models(study, 1)
    assert {model.source_run_id for model in trial_models(study)} == {used.source_run_id, by_loss(study)[0]}
    assert Path(local_path(used.artifact_location), "MLmodel").exists()


@pytest.mark.parametrize("stage", ["create", "files", "metrics", "outputs"])
def test_what_was_killed_in_the_middle_is_finished_and_not_doubled(study, stage, monkeypatch):
    client = study.client
    names = {"create": "log_model_artifacts", "files": "log_batch", "metrics": "log_outputs"}

    class Killed(BaseException):
        pass

    def die(*arguments, **named):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(client, names.get(stage, "finalize_logged_model"), die)
        patched.setattr(client, "finalize_logged_model", die)
        with pytest.raises(Killed):
            keep_best_models(study, 1)
    assert [model.status for model in trial_models(study)] == ["PENDING"]
    begun = ids(study)
    assert keep_best_models(study, 1) == (1, ())
    assert kept(study) == by_loss(study)[:1] and ids(study) == begun == outputs(study)
    (model,) = trial_models(study)
    assert len(model.metrics) == len({metric.key for metric in model.metrics})


def test_a_failure_of_one_is_said_and_the_others_are_made(study, monkeypatch):
    best = by_loss(study)[0]
    log = making.ModelMaker._log_files

    def broken(self, trial, *arguments):
        if trial.run_id == best:
            raise OSError("disk full")
        log(self, trial, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(making.ModelMaker, "_log_files", broken)
        made, problems = keep_best_models(study)
    assert made == 2 and len(problems) == 1 and "disk full" in problems[0]
    assert [model.status for model in trial_models(study)] == ["FAILED", "READY", "READY"]
    assert keep_best_models(study) == (1, ()) and len(kept(study)) == 3
    monkeypatch.setattr(making.ModelMaker, "make", lambda *arguments: (_ for _ in ()).throw(StoreLostError("away")))
    delete_models(study, list(trial_models(study)))
    with pytest.raises(StoreLostError):
        keep_best_models(study)


def test_trials_without_weights_or_with_a_broken_record_get_none(study, alter):
    first, second, third = by_loss(study)
    (Path(local_path(study.client.get_run(first).info.artifact_uri)) / CHECKPOINT).unlink()
    alter(second, "dropout", "nonsense")
    assert [each.run_id for each in best_trials(study, 2)] == [first, third]
    assert keep_best_models(study) == (1, ())
    assert kept(study) == [third]
