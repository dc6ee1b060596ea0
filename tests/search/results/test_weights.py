import threading

import pytest
from optuna.trial import TrialState

from pipeline.exceptions import StoreError
from search.registry.packaging.best_trial import choose_trial
from search.results.trial_runs import recorded_trials
from search.results.weights import BEGUN, WeightKeeper, is_lost, losing, registration
from search.study.reconcile import reconcile
from search.study.study import KEEP
from search.tracking.artifacts import CHECKPOINT, DELETED, checkpoint_bytes, delete_checkpoint
from search.tracking.lease import brief_lease
from search.tracking.tags import TRIAL_RUN
from search.trial.runner import TrialRunner
from search.walk_forward.subject import read_subjects

FILES = {CHECKPOINT, "predictions", "spec.json"}


@pytest.fixture
def study(make_trained):
    study = make_trained(6, 6)
    study.schedule.set_user_attr(KEEP, "2")
    return study


@pytest.fixture
def said():
    return []


@pytest.fixture
def keeper(study, stores, said):
    return WeightKeeper(study, stores, said.append)


def by_loss(study):
    return [t.user_attrs["run_id"] for t in sorted(study.finished(), key=lambda t: (t.value, t.number))]


def keeping(study):
    """Runs whose weights are there."""
    return {run_id for run_id in by_loss(study) if checkpoint_bytes(study.client, study.client.get_run(run_id))}


def tag(study, run_id):
    return study.client.get_run(run_id).data.tags.get(DELETED)


@pytest.mark.parametrize("how", ["settle", "after"])
def test_the_best_keep_their_weights_and_every_record_stays(study, keeper, said, how):
    best, losers = by_loss(study)[:2], by_loss(study)[2:]
    before = {run_id: study.client.get_run(run_id) for run_id in losers}
    keeper.settle() if how == "settle" else keeper.after(6)
    assert keeping(study) == set(best) and said == []
    for run_id in losers:
        run = study.client.get_run(run_id)
        assert tag(study, run_id).endswith(" bytes, not among the best 2")
        assert {each.path for each in study.client.list_artifacts(run_id)} == FILES - {CHECKPOINT}
        assert (run.data.params, run.data.metrics) == (before[run_id].data.params, before[run_id].data.metrics)
        assert before[run_id].data.tags.items() <= run.data.tags.items()
        assert not is_lost(study.client, run)
    tags = {run_id: tag(study, run_id) for run_id in losers}
    WeightKeeper(study, keeper.stores, said.append).settle()
    assert {run_id: tag(study, run_id) for run_id in losers} == tags, "once"


def test_a_study_that_keeps_all_loses_none(study, keeper):
    study.schedule.set_user_attr(KEEP, "all")
    keeper.settle()
    keeper.after(6)
    assert len(keeping(study)) == 6


def test_the_schedule_is_asked_only_when_another_trial_has_finished(study, keeper, monkeypatch):
    asked = []
    monkeypatch.setattr(keeper, "_lost", lambda keep: asked.append(keep) or [])
    for finished in (3, 3, 4, 4, 4, 5):
        keeper.after(finished)
    assert asked == [2, 2, 2]


@pytest.mark.slow
@pytest.mark.lesson("L29")
@pytest.mark.parametrize("deleted", [False, True])
def test_what_a_kill_left_begun_is_ended_and_never_seems_lost(study, keeper, command, deleted):
    loser = by_loss(study)[-1]
    study.client.set_tag(loser, DELETED, f"{BEGUN}1 bytes, not among the best 2")
    if deleted:
        delete_checkpoint(study.client, study.client.get_run(loser))
    assert not is_lost(study.client, study.client.get_run(loser))
    assert "files of 6 runs opened" in command("verify")[1]
    assert "weights are gone" not in command("audit", study.plan.study)[1]
    keeper.settle()
    assert loser not in keeping(study)
    assert BEGUN not in tag(study, loser)


@pytest.mark.parametrize("deleted", [False, True])
def test_what_was_begun_and_is_among_the_best_by_now_is_said_as_it_is(study, keeper, deleted):
    best = by_loss(study)[0]
    study.client.set_tag(best, DELETED, f"{BEGUN}1 bytes, not among the best 2")
    if deleted:
        delete_checkpoint(study.client, study.client.get_run(best))
    keeper.settle()
    assert tag(study, best) == ("1 bytes, not among the best 2" if deleted else None)
    assert (best in keeping(study)) is not deleted


def test_what_a_registered_version_was_made_of_stays(study, keeper):
    *_, worse, worst = by_loss(study)
    study.client.create_registered_model("m")
    study.client.create_model_version("m", source="file:///m", run_id=worst)
    study.client.create_model_version("m", source="file:///m", tags={TRIAL_RUN: worse})
    keeper.settle()
    keeper.after(6)
    assert keeping(study) == {*by_loss(study)[:2], worse, worst}


def test_while_a_registration_is_at_work_all_stay_and_the_next_look_lets_them_go(study, stores, keeper, said):
    with brief_lease(stores, registration(study.plan.study)):
        keeper.settle()
        keeper.after(5)
        assert len(keeping(study)) == 6
    assert len(said) == 1 and "stay for now" in said[0]
    keeper.after(6)
    assert len(keeping(study)) == 2


@pytest.mark.lesson("L40")
def test_several_at_once_delete_each_once_and_touch_no_other(study, stores):
    said = []
    keepers = [WeightKeeper(study, stores, said.append) for _ in range(3)]
    threads = [threading.Thread(target=each.settle) for each in keepers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert keeping(study) == set(by_loss(study)[:2])
    assert all("stay for now" in line for line in said)


@pytest.mark.lesson("L34")
def test_a_store_that_can_not_delete_stops_nothing_is_said_once_and_tags_nothing(study, keeper, said, monkeypatch):
    def refuse(client, run):
        raise StoreError("no deletion here")

    monkeypatch.setattr("search.results.weights.delete_checkpoint", refuse)
    for finished in (5, 6):
        keeper.after(finished)
    keeper.settle()
    assert said == ["weights of trials that lost stay for now: no deletion here"]
    assert len(keeping(study)) == 6 and not any(tag(study, run_id) for run_id in by_loss(study))


def test_a_trial_whose_record_is_not_trusted_takes_no_place(study, keeper, alter):
    best = by_loss(study)[0]
    alter(best, "n_layers", "none")
    keeper.settle()
    assert keeping(study) == set(by_loss(study)[1:3])


@pytest.mark.lesson("L29")
def test_what_will_be_gone_on_with_has_not_lost(study, planned):
    TrialRunner(study, planned[1], device="cpu", report=lambda event: None, should_stop=lambda: True).run_next()
    interrupted = study.schedule.trials[-1].user_attrs["run_id"]

    def lost():
        return interrupted in {trial.run_id for trial in losing(study, recorded_trials(study), 2)}

    assert not lost()
    reconcile(study)
    assert not lost()
    for trial in study.schedule.get_trials(states=(TrialState.WAITING,)):
        study.schedule._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
        assert not lost()
        study.schedule.tell(trial.number, state=TrialState.FAIL)
    assert lost()


@pytest.mark.slow
def test_lost_weights_are_told_from_those_let_go_by_every_command(study, keeper, command):
    name, (best, *_, loser) = study.plan.study, by_loss(study)
    keeper.settle()
    number = study.client.get_run(loser).data.tags["trial.number"]
    said = "weights of the best 2 are kept, those of 4 of 6 were let go on purpose"
    assert said in command("audit", name)[1]
    assert "; weights of 4 trials were let go on purpose" in command("verify")[1]
    assert f"now {said}" in command("gc", name, "--keep", "2")[1]
    code, _, err = command("register", name, "--as-is", "--trial", number)
    assert (code, err.count("\n")) == (2, 1)
    assert "let go on purpose, " in err and "a refit needs the spec alone" in err and "train it again" in err
    assert choose_trial(study, int(number)).trial.run_id == loser, "a refit needs the spec alone"
    assert read_subjects(keeper.stores, name, trial=int(number))[1][0].spec is not None, "so does a walk-forward"
    delete_checkpoint(study.client, study.client.get_run(best))
    assert f"{CHECKPOINT} of run {best} is gone" in command("verify")[1]
    code, out, _ = command("audit", name)
    assert code == 1 and "weights are gone that nobody let go" in out
    code, _, err = command("register", name, "--as-is")
    assert (code, err.count("\n")) == (2, 1)
    assert "nobody let it go: it was lost" in err and "put the store's artifacts back" in err
