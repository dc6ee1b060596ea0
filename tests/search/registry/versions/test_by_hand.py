from __future__ import annotations

import mlflow
import pytest

from pipeline.exceptions import InputError
from search.registry.packaging.kept_models import keep_best_models, trial_models
from search.registry.versions.aliases import champion_of
from search.registry.versions.by_hand import (
    BY_HAND,
    EVIDENCE_RUN,
    HAND,
    MADE_BY,
    has_own_run,
    in_order,
    is_by_hand,
    model_id_of,
    question_of,
    with_origin,
)
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


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("order", [in_order, lambda tags: list(tags.items())], ids=["ours", "of older code"])
def test_one_whose_tags_were_not_all_written_is_completed_from_what_it_was_made_of(client, study, order):
    *_, made = trial_models(study)
    number = by_hand(client, OTHER, f"models:/{made.model_id}")
    plain = find_version(client, f"{OTHER}/{number}").tags
    asked = {**plain, EVIDENCE_RUN: "f" * 32, PROVED: "1e-9", "gate": "not met: finite", "gate.finite": "fail"}
    written = order(asked)
    assert dict(written) == asked
    for name, text in written[:-1]:
        client.set_model_version_tag(OTHER, number, name, text)
        version = find_version(client, f"{OTHER}/{number}")
        assert plain.keys() <= version.tags.keys() and version.tags[MADE_BY] == HAND
        held = client.get_model_version(OTHER, number).tags
        assert is_by_hand(version) == ("gate" not in held)
        assert has_own_run(version) == (EVIDENCE_RUN in held), "nothing is written to its trial's run"
    client.set_model_version_tag(OTHER, number, *written[-1])
    assert find_version(client, f"{OTHER}/{number}").tags == asked


def test_one_that_is_begun_is_not_taken_for_ours_where_what_it_was_made_of_is_gone(client, study):
    *_, made = trial_models(study)
    number = by_hand(client, OTHER, f"models:/{made.model_id}")
    (first, *_, gate) = in_order(find_version(client, f"{OTHER}/{number}").tags)
    assert (first, gate) == ((MADE_BY, HAND), ("gate", BY_HAND))
    client.set_model_version_tag(OTHER, number, *first)
    client.delete_logged_model(made.model_id)
    assert not has_own_run(find_version(client, f"{OTHER}/{number}"))
