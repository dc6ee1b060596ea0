import pytest

from pipeline.exceptions import InputError, RecordError
from search.registry.packaging.best_trial import choose_trial, own_weights, validation_predictions
from search.tracking.artifacts import CHECKPOINT
from search.trial.runner import TrialRunner


def test_the_best_finished_trial_is_taken_or_the_one_asked_for(study):
    ranked = sorted(study.finished(), key=lambda trial: trial.value)
    best = choose_trial(study)
    assert (best.trial.number, best.n_epochs, best.of) == (ranked[0].number, 1, 3)
    assert choose_trial(study, ranked[-1].number).trial.run_id == ranked[-1].user_attrs["run_id"]
    ((spec, _),) = own_weights(study, best)
    assert spec == best.spec
    assert list(validation_predictions(study, best)) == ["date", "y", "p"]


def test_a_study_without_a_finished_trial_says_so(make_study, command):
    study = make_study(1, study="empty")
    with pytest.raises(InputError, match="a version is made of a finished trial, study empty has none"):
        choose_trial(study)
    code, _, err = command("register", "empty")
    assert (code, err.count("\n")) == (2, 1)


@pytest.mark.slow
def test_trials_that_did_not_finish_are_refused_with_their_reason(make_study, planned, run_trials, command, alter):
    study = run_trials(make_study(2, study="some"), 1)
    TrialRunner(study, planned[1], device="cpu", report=lambda event: None, should_stop=lambda: True).run_next()
    code, _, err = command("register", "some", "--trial", "1")
    assert (code, err.count("\n")) == (2, 1)
    assert "a version is made of a finished trial, got trial 1" in err and "is KILLED (interrupted)" in err
    run_id = study.finished()[0].user_attrs["run_id"]
    study.client.set_tag(run_id, "status.reason", "pruned")
    study.client.set_terminated(run_id, "KILLED")
    assert "is KILLED (pruned)" in command("register", "some", "--trial", "0")[2]
    study.client.set_terminated(run_id, "FINISHED")
    alter(run_id, "n_heads", "2")
    code, _, err = command("register", "some")
    assert (code, err.count("\n")) == (2, 1) and "study some has none" in err
    assert "has a record that is not trusted" in command("register", "some", "--trial", "0")[2]


@pytest.mark.slow
def test_a_deleted_checkpoint_is_refused_as_it_is_and_the_remedy_is_a_refit(make_study, run_trials, command):
    study = run_trials(make_study(2, study="cleaned"), 2)
    worst = max(study.finished(), key=lambda trial: trial.value)
    assert command("gc", "cleaned", "--keep", "1")[0] == 0
    assert CHECKPOINT not in {each.path for each in study.client.list_artifacts(worst.user_attrs["run_id"])}
    code, _, err = command("register", "cleaned", "--trial", str(worst.number), "--as-is")
    assert (code, err.count("\n")) == (2, 1)
    assert "must have its checkpoint" in err and "leave out --as-is" in err
    assert choose_trial(study, worst.number).trial.run_id == worst.user_attrs["run_id"]


def test_predictions_that_are_gone_are_named(study, monkeypatch):
    monkeypatch.setattr("search.registry.packaging.best_trial.read_artifact", lambda *arguments: None)
    with pytest.raises(RecordError, match=r"must keep its validation predictions, predictions/val.parquet is gone"):
        validation_predictions(study, choose_trial(study))
