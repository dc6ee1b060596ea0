import numpy as np
import pytest

from model.training.execution import Execution
from model.training.trainer import predict_rows
from pipeline.exceptions import InputError
from search.registry.packaging.best_trial import choose_trial
from search.registry.packaging.members import refitted_members, require_seeds, trial_members, windows_of
from search.trial.parts import trial_parts
from tests.search.trial.conftest import folded_plan, folded_record, folded_trial

__all__ = ["folded_plan", "folded_record", "folded_trial"]


def test_the_trials_own_weights_say_what_the_trial_stored(study):
    best = choose_trial(study)
    members = trial_members(study, best)
    days = members.windows.rows.validation
    assert np.abs(predict_rows(members.models[0][1], members.windows, days) - members.expected["p"]).max() < 1e-9
    assert (members.as_is, members.seeds) == (True, (best.spec.seed,))
    assert np.array_equal(members.train_rows, members.windows.train_rows)


@pytest.mark.lesson("L22")
def test_refits_train_through_validation_with_a_seed_each_and_never_see_a_test_label(study):
    best, done = choose_trial(study), []
    members = refitted_members(study, best, 2, after_each=done.append)
    rows = members.windows.rows
    assert done == [1, 2] and members.seeds == (0, 1)
    assert set(rows.validation) < set(members.train_rows) and not set(rows.test) & set(members.train_rows)
    assert np.isnan(members.windows.y_host_D[rows.test]).all()
    each = [predict_rows(model, members.windows, rows.validation) for _, model in members.models]
    assert np.abs(each[0] - each[1]).max() > 1e-4
    assert np.allclose(np.mean(each, axis=0), members.expected["p"], atol=0)


def test_refits_are_computed_as_the_memory_of_their_device_allows_and_answered_in_float32(study, monkeypatch):
    """A refit on a GPU is bfloat16 and compiled; what is expected of a server never is."""
    asked = []

    def small(spec, device, *, rows):
        asked.append((device.type, rows))
        return Execution(micro_batch=64, precision="bfloat16", recompute=True)

    monkeypatch.setattr("search.registry.packaging.members.choose_execution", small)
    members = refitted_members(study, choose_trial(study), 1)
    assert asked == [("cpu", len(members.windows.x_DF))]
    ((_, model),) = members.models
    days = members.windows.rows.validation
    assert not model._recompute and not model.training
    assert np.array_equal(predict_rows(model, members.windows, days), members.expected["p"])


@pytest.mark.parametrize("n_seeds", [0, -1, 101])
def test_seeds_out_of_range_are_refused(n_seeds):
    with pytest.raises(InputError, match=f"seeds must be from 1 to 100, got {n_seeds}"):
        require_seeds(n_seeds)


@pytest.mark.slow
def test_a_trial_of_folds_and_seeds_as_it_is_is_the_mean_of_its_last_fold_s_models(folded_trial):
    study, _, _ = folded_trial
    best = choose_trial(study)
    members = trial_members(study, best)
    days, last = members.windows.rows.validation, trial_parts_of(study, best)[-1]
    p = np.mean([predict_rows(model, members.windows, days) for _, model in members.models], axis=0)
    assert np.abs(p - members.expected["p"]).max() < 1e-9 and len(days) == 251
    assert (members.as_is, members.seeds, best.n_epochs) == (True, (0, 1), 2)
    assert np.array_equal(members.train_rows, last.windows.train_rows)
    assert members.expected["date"].dt.year.unique().tolist() == [2016]


def trial_parts_of(study, best):
    dataset, pooled = study.load_data()
    return trial_parts(best.spec, windows_of(best.spec, dataset, pooled), (dataset, *pooled))
