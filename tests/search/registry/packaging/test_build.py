from dataclasses import replace

import numpy as np
import pytest

from model.serving.package_info import package_facts
from search.registry.packaging.best_trial import choose_trial
from search.registry.packaging.build import package_members
from search.registry.packaging.fresh_process import TOLERANCE
from search.registry.packaging.members import trial_members


@pytest.mark.lesson("L17")
def test_a_package_says_where_it_lies_what_it_was_proved_to_and_how_far_it_was_trained(study):
    dataset, _ = study.load_data()
    best = choose_trial(study)
    members = trial_members(study, best)
    run_id = study.client.create_run(study.experiment_id).info.run_id
    pooled = replace(members, train_rows=np.append(members.train_rows, len(dataset.dates) + 7))
    packaged = package_members(study, best, pooled, run_id)
    model = study.client.get_logged_model(packaged.model_id)
    assert (model.source_run_id, model.artifact_location) == (run_id, packaged.source)
    assert 0 <= packaged.difference <= TOLERANCE
    facts = package_facts([best.spec], dataset, members.train_rows, n_epochs=[best.n_epochs])
    assert packaged.trained_through == facts.trained_through < packaged.data_last == str(dataset.dates[-1].date())
