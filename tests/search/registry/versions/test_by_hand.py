from __future__ import annotations

import mlflow
import pytest

from pipeline.exceptions import InputError
from search.registry.packaging.kept_models import keep_best_models, trial_models
from search.registry.versions.aliases import champion_of
from search.registry.versions.by_hand import BY_HAND, is_by_hand, model_id_of, question_of, with_origin
from search.registry.versions.versions import AS_IS, PROVED, find_version, require_tag, versions_of
from search.tracking.tags import STUDY, TRIAL_NUMBER, TRIAL_RUN

MODEL, OTHER = "patchscale-^GSPC-h1", "my model"


@pytest.fixture
def client(study, monkeypatch):
    """Of a registry with versions 1 and 2 by ``patchscale register``, and the study's trials as logged models."""
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", study.client.tracking_uri)
    keep_best_models(study)
    study.client.create_registered_model(OTHER)
    return study.client


def by_hand(client, model, source):
    return client.create_model_version(model, source).version


def test_a_version_by_hand_carries_what_its_trial_says_and_nothing_is_written(client, study):
    *_, made = trial_models(study)
    number = by_hand(client, OTHER, f"models:/{made.model_id}")
    version = find_version(client, f"{OTHER}/{number}")
    run = client.get_run(made.source_run_id)
    assert require_tag(version, STUDY) == study.plan.study and require_tag(version, TRIAL_RUN) == run.info.run_id
    assert version.tags[TRIAL_NUMBER] == run.data.tags[TRIAL_NUMBER]
    assert (version.tags["gate"], version.tags[AS_IS]) == (BY_HAND, "true") and PROVED not in version.tags
    assert not [name for name in version.tags if name.startswith("mlflow.")]
    assert is_by_hand(version) and question_of(version) == MODEL
    assert client.get_model_version(OTHER, number).tags == {}
    client.set_registered_model_alias(OTHER, "champion", number)
    assert is_by_hand(champion_of(client, OTHER))
    assert {STUDY, TRIAL_NUMBER, AS_IS, "members.seeds", "data.last"} <= find_version(client, f"{MODEL}/1").tags.keys()
    same = {"spec.hash", "dataset.digest", "members.seeds", "members.epochs", "data.last", "trained.through"}
    best = find_version(client, f"{MODEL}/1")
    if best.tags[TRIAL_NUMBER] == version.tags[TRIAL_NUMBER]:
        assert {name: best.tags[name] for name in same} == {name: version.tags[name] for name in same}


def test_a_package_of_a_registration_by_hand_carries_its_proof_and_not_its_gate(client):
    registered = find_version(client, f"{MODEL}/2")
    number = by_hand(client, OTHER, f"models:/{registered.tags['model.id']}")
    version = find_version(client, f"{OTHER}/{number}")
    assert version.tags["gate"] == BY_HAND and is_by_hand(version)
    assert not [name for name in version.tags if name.startswith(("gate.", "evidence.", "mlflow."))]
    for name in (STUDY, TRIAL_NUMBER, PROVED, AS_IS, "members.seeds"):
        assert version.tags[name] == registered.tags[name]


def test_a_copy_of_one_is_one(client, study):
    *_, made = trial_models(study)
    number = by_hand(client, OTHER, f"models:/{made.model_id}")
    copied = client.copy_model_version(f"models:/{OTHER}/{number}", "copied")
    assert model_id_of(client, copied) == made.model_id
    assert is_by_hand(find_version(client, "copied/1"))


def test_ours_and_foreign_ones_stay_as_they_are(client, study):
    for version in versions_of(client, MODEL):
        before = dict(version.tags)
        assert with_origin(client, version).tags == before and not is_by_hand(version)
        assert question_of(version) == MODEL
    foreign = client.create_logged_model(study.experiment_id, name="foreign")
    gone = client.create_logged_model(study.experiment_id, name="gone")
    numbers = [by_hand(client, OTHER, f"models:/{each.model_id}") for each in (foreign, gone)]
    client.delete_logged_model(gone.model_id)
    numbers.append(by_hand(client, OTHER, "file:///nothing"))
    for number in numbers:
        version = find_version(client, f"{OTHER}/{number}")
        assert version.tags == {} and not is_by_hand(version)
        with pytest.raises(InputError, match="must have been registered by patchscale, got a version without"):
            require_tag(version, STUDY)
