from dataclasses import replace

import pytest

from search.registry.description import RECIPE, describe_version
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
