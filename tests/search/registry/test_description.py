from dataclasses import replace

import pytest

from search.registry.description import RECIPE, describe_version, ensure_model, question
from search.registry.gate.collect import track_record_of_trial
from search.registry.gate.gate import unknown_gate
from search.registry.packaging.best_trial import choose_trial
from search.registry.packaging.build import Packaged
from search.registry.packaging.members import trial_members


@pytest.mark.parametrize(
    ("as_is", "walked", "of_recipe"), [(True, False, False), (True, True, True), (False, False, True)]
)
def test_evidence_is_the_recipes_unless_these_very_weights_made_the_forecasts(study, as_is, walked, of_recipe):
    best = choose_trial(study)
    members = replace(trial_members(study, best), as_is=as_is)
    track_record = replace(track_record_of_trial(study, best, "m/1", n_members=1), walked=walked)
    packaged = Packaged(source="", model_id="m-1", difference=0.0, trained_through="2014-12-31", data_last="2018-12-31")
    text = describe_version(best, members, packaged, track_record, unknown_gate("nothing"))
    assert (RECIPE in text) == of_recipe


def test_a_model_that_was_made_by_hand_is_told_what_it_is_asked_and_keeps_what_it_says(make_study):
    study = make_study(1)
    client, plan = study.client, study.plan
    said = {"ticker": plan.data.ticker, "target": plan.target.name}
    for tags, description in ((None, None), ({"target": "mine"}, "mine")):
        client.create_registered_model(plan.experiment, tags, description)
        for _ in range(2):
            ensure_model(client, plan)
        held = client.get_registered_model(plan.experiment)
        assert held.tags == {**said, **(tags or {})}
        assert held.description == (description or question(plan.data.ticker, plan.target))
        client.delete_registered_model(plan.experiment)
