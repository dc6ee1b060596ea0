"""Fixtures of the walk-forward tests: a tiny spec, its folds, and what a command would have at hand."""

from dataclasses import replace
from datetime import date

import pytest
import torch
from rich.console import Console

from search.study.make_plan import make_plan
from search.tracking.locks import study_lock
from search.walk_forward.progress import WalkProgress
from search.walk_forward.subject import Subject
from search.walk_forward.walk import load_walk_forward_data, walk_forward
from search.workers.pool import Workforce
from search.workers.signals import Signals
from tests.search.conftest import REQUEST

YEARS = (2015, 2016)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pooled(tmp_path_factory):
    """A plan that trains on a second ticker too, its dataset versions and their directory."""
    from pipeline.datasets.dataset import load_dataset

    root = tmp_path_factory.mktemp("pooled")
    plan, dataset = make_plan(replace(REQUEST, train_tickers=("^IXIC",), offset="logistic"), root=root)
    return plan, (dataset, *(load_dataset(root, digest) for digest in plan.data.pooled_digests)), root


@pytest.fixture
def plan(planned):
    """The tiny plan with few years to train on, so that a walk takes seconds."""
    split = replace(planned[0].split, train_start=date(2012, 1, 1))
    return replace(planned[0], max_epochs=3, patience=3, split=split)


@pytest.fixture
def spec(plan):
    return plan.spec(plan.grid().architectures[0], {"learning_rate": 1e-2})


@pytest.fixture
def study(make_study, plan):
    return make_study(2, max_epochs=3, patience=3, split=plan.split)


@pytest.fixture
def subject(spec):
    return Subject(name="trial 0 tiny", spec=spec)


@pytest.fixture
def walk(stores, study):
    """Walk a subject forward over two years as the command does."""

    def run(subject, *, seeds=2, n_workers=1, years=YEARS):
        data = load_walk_forward_data(study, subject, *years)
        console = Console(quiet=True)
        with Signals() as signals, study_lock(stores, "test.walkforward") as lock, WalkProgress(console) as progress:
            workforce = Workforce(stores=stores, n_workers=n_workers, device="cpu", lock=lock)
            return walk_forward(study, subject, data, seeds, workforce, progress, signals)

    return run
