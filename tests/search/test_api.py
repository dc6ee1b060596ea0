"""The record in a notebook; its examples run on a study of three trials."""

import doctest
import os

import pandas as pd
import pytest

from pipeline.exceptions import InputError, PatchscaleError
from search import api

FUNCTIONS = ("studies", "trials", "forecasts", "load", "ask")


@pytest.fixture
def study(make_trained, planned, home):
    """A study of three finished trials in the working directory, its data beside it."""
    os.symlink(planned[2], home / "data")
    return make_trained(3, 3)


def test_the_examples_of_every_function_say_what_comes(study):
    found = {test.name.rpartition(".")[2]: test for test in doctest.DocTestFinder().find(api)}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for name in FUNCTIONS:
        assert found[name].examples, name
        said = []
        assert runner.run(found[name], out=said.append).failed == 0, "".join(said)


def test_every_public_function_is_one_of_the_five():
    own = [
        name for name, each in vars(api).items() if getattr(each, "__module__", "") == api.__name__ and name[0] != "_"
    ]
    assert tuple(own) == FUNCTIONS


def test_an_empty_store_has_no_study_and_its_columns(home):
    found = api.studies()
    assert len(found) == 0 and list(found) == list(api.STUDY_COLUMNS)
    with pytest.raises(PatchscaleError, match="nothing"):
        api.trials("nothing")


def test_a_trial_answers_what_it_answered_in_its_study(study):
    """Loaded, and asked with bars alone, it says of each validation day what it said as it was trained."""
    name, best = study.plan.study, api.trials(study.plan.study).iloc[0]
    said = api.forecasts(name).set_index("date")["p"]
    model = api.load(name)
    assert model.spec.hash and best["label"] == model.spec.architecture.label
    answered = api.ask(model, days="all").set_index("date")["probability"]
    assert abs(answered.reindex(said.index) - said).max() < 1e-6
    run_id = best["run_id"]
    assert api.forecasts(run_id[:8]).equals(api.forecasts(name, trial=int(best["number"])))
    uris = {"tracking_uri": f"sqlite:///{study.home}/mlflow.db", "storage": f"sqlite:///{study.home}/optuna.db"}
    pd.testing.assert_frame_equal(api.trials(name, **uris), api.trials(name))


def test_what_a_model_cant_answer_is_said_in_a_line(study):
    model = api.load(study.plan.study, trial=1)
    for question in ({"horizon": 3}, {"threshold": 0.05}, {"days": "some"}):
        with pytest.raises(InputError):
            api.ask(model, **question)
    with pytest.raises(InputError, match="trial must be one of study"):
        api.load(study.plan.study, trial=99)
    with pytest.raises(InputError, match="leave one out"):
        api.load("patchscale-SPY-h1/1", trial=2)
