"""A study whose trials are folds and seeds, with one trial trained once a session."""

from dataclasses import replace
from datetime import date

import pytest

from search.study.study import open_or_create_study
from search.tracking.stores import resolve_stores
from search.trial.runner import TrialRunner
from tests.copied_record import copy_record


def folded(plan, n_folds=2, n_seeds=2, **changed):
    """The tiny plan by folds, with few years to train on."""
    first = plan.split.test_start.year - n_folds
    split = replace(
        plan.split,
        train_start=date(2012, 1, 1),
        train_end=date(first - 1, 12, 31),
        validation_start=date(first, 1, 1),
        validation_end=date(plan.split.test_start.year - 1, 12, 31),
    )
    return replace(plan, split=split, n_folds=n_folds, n_seeds=n_seeds, patience=0, **changed)


@pytest.fixture(scope="session")
def folded_plan(planned):
    return folded(planned[0], max_epochs=2)


@pytest.fixture
def folded_study(stores, folded_plan, planned):
    return open_or_create_study(stores, folded_plan, trials=1, data_root=planned[2])


@pytest.fixture(scope="session")
def folded_record(tmp_path_factory, template, folded_plan, planned):
    directory = tmp_path_factory.mktemp("folded") / "mlruns"
    copy_record(template, directory)
    stores = resolve_stores(*(f"sqlite:///{directory / name}.db" for name in ("mlflow", "optuna")))
    study = open_or_create_study(stores, folded_plan, trials=1, data_root=planned[2])
    TrialRunner(study, planned[1], device="cpu", report=lambda event: None, should_stop=lambda: False).run_next()
    return stores, study


@pytest.fixture
def folded_trial(folded_record):
    """A finished trial of two folds and two seeds: its study and its run.  Only to be read."""
    _, study = folded_record
    (trial,) = study.finished()
    return study, trial, study.client.get_run(trial.user_attrs["run_id"])
