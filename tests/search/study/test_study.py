from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState

from pipeline.exceptions import StoreError
from search.space.extremes import extremes
from search.space.ranks import SearchSpace
from search.study.study import load_study, open_or_create_study


@pytest.fixture
def make(stores, planned):
    plan, _, root = planned
    return lambda trials=8, **changed: open_or_create_study(
        stores, replace(plan, **changed), trials=trials, data_root=root
    )


@pytest.mark.lesson("L4")
def test_extremes_are_queued_once_through_enqueue_trial(make, planned):
    make()
    study = make()
    waiting = study.schedule.get_trials(states=(TrialState.WAITING,))
    space = SearchSpace(planned[0].grid())
    queued = [space.decode(t.system_attrs["fixed_params"]) for t in waiting]
    assert queued == extremes(planned[0].grid())


def test_the_two_stores_point_at_each_other(make, stores):
    study = make()
    run = study.client.get_run(study.run_id)
    assert run.data.tags["study.name"] == study.plan.study
    assert run.data.tags["run.role"] == "study"
    assert run.data.params["grid_hash"] == study.plan.grid_hash
    assert load_study(stores, study.plan.study).run_id == study.run_id
    assert load_study(stores, study.plan.study).plan == study.plan


def test_the_target_can_be_extended(make):
    make(8)
    assert make(12).target_trials == 12


def test_how_many_keep_their_weights_is_five_or_what_the_study_has(make, stores, planned):
    study = make()
    assert study.keep == 5
    for asked, held in (("all", None), ("auto", None), ("2", 2), ("auto", 2)):
        plan, _, root = planned
        study = open_or_create_study(stores, plan, trials=8, data_root=root, keep=asked)
        said = study.client.get_run(study.run_id).data.tags["study.keep"]
        assert (study.keep, said) == (held, str(held or "all"))
    optuna.delete_study(study_name=study.plan.study, storage=study.schedule._storage)
    assert make().keep == 2, "of a study whose schedule was lost, what its run says"
    optuna.delete_study(study_name=study.plan.study, storage=study.schedule._storage)
    study.client.delete_tag(study.run_id, "study.keep")
    assert make().keep is None, "older code kept all, and said nothing"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("grid_hash", "0" * 12),
        ("seed", 5),
        ("max_epochs", 9),
        ("budget", "6K"),
        ("tolerance", 0.3),
        ("min_head_dim", 4),
        ("n_layers_axis", "2,3"),
        ("ff_ratio_axis", "3"),
    ],
)
def test_a_study_refuses_another_plan_and_names_the_difference(make, field, value):
    study = make()
    with pytest.raises(StoreError, match=rf"{field} {getattr(study.plan, field)} there, {value} here"):
        make(**{field: value})


@pytest.mark.slow
def test_a_study_can_be_continued_with_another_sampler(stores, planned):
    plan, _, root = planned
    for sampler in ("tpe", "gp"):
        study = open_or_create_study(stores, plan, trials=2, data_root=root, sampler=sampler)
        assert load_study(stores, plan.study).schedule.user_attrs["sampler"] == sampler
        assert study.client.get_run(study.run_id).data.tags["study.sampler"] == sampler
        assert load_study(stores, plan.study).schedule.sampler.kind == study.schedule.sampler.kind == sampler


@pytest.mark.parametrize("where", ["make_parent_run", "extremes"])
def test_a_study_that_was_never_finished_being_made_is_made_again(make, stores, planned, monkeypatch, where):
    from search.audit.status import study_states

    def die(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"search.study.study.{where}", die)
        with pytest.raises(KeyboardInterrupt):
            make()
    assert study_states(stores) == []
    study = make()
    assert len(study.schedule.get_trials(states=(TrialState.WAITING,))) == 6
    runs = study.client.search_runs([study.experiment_id])
    assert [run.info.run_id for run in runs] == [study.run_id]


def test_an_unreadable_study_does_not_hide_the_others(make, stores, monkeypatch):
    from search.audit.status import study_states

    make(study="a")
    make(study="b").schedule.set_user_attr("plan", "{}")
    states = {row["study"]: row["state"] for row in study_states(stores)}
    assert states == {"a": "queued", "b": "unreadable"}


def test_a_foreign_study_is_refused_by_name(stores, make):
    import optuna

    from search.tracking.stores import open_storage

    optuna.create_study(study_name="foreign", storage=open_storage(stores))
    for name in ("foreign", "none"):
        with pytest.raises(StoreError, match=name):
            load_study(stores, name)


def test_artifacts_of_an_embedded_store_lie_beside_it(make, home):
    study = make()
    location = study.client.get_experiment(study.experiment_id).artifact_location
    assert location.startswith((home / "mlruns" / "artifacts").as_uri())


def test_the_refusal_of_another_plan_gives_a_name_that_can_be_used_and_used_again(make):
    study = make()
    with pytest.raises(StoreError) as refused:
        make(seed=5)
    name = str(refused.value).rpartition("--study ")[2]
    assert name.startswith(f"{study.plan.study}-")
    assert make(seed=5, study=name).plan.seed == make(seed=5, study=name).plan.seed == 5
    with pytest.raises(StoreError) as other:
        make(seed=6)
    assert not str(other.value).endswith(name)


def test_every_run_says_who_made_it(make):
    study = make()
    tags = study.client.get_run(study.run_id).data.tags
    assert tags["mlflow.user"] and tags["mlflow.source.name"]
