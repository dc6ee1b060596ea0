from dataclasses import replace

import pytest

from pipeline.exceptions import InputError
from search.study.request import HpoRequest
from search.tracking.lease import Lease
from search.workers import engines
from search.workers.count import count_cores
from search.workers.engines import (
    INSTALL,
    EngineOptions,
    connected,
    make_engine,
    make_pool,
    make_workforce,
    require_engine,
    works_here,
)
from search.workers.local import LocalEngine
from search.workers.pool import WorkerPool

USUAL = EngineOptions(engine="local", address="", gpus_per_trial=0.0, workers="auto", device="cpu")
RAY = replace(USUAL, engine="ray")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (replace(USUAL, address="auto"), "address is of a Ray cluster, got auto with engine local; add --engine ray"),
        (replace(USUAL, gpus_per_trial=0.5), "gpus_per_trial is of a Ray cluster, got 0.5 with engine local"),
        (replace(RAY, address="ray://head:10001"), "a node of, got ray://head:10001; run the command on a node"),
        (replace(RAY, device="cuda"), "device cuda needs a GPU on Ray, got gpus_per_trial 0; add --gpus-per-trial 1"),
        (replace(RAY, gpus_per_trial=1.0), "device cpu needs no GPU, got gpus_per_trial 1; leave one of them out"),
        (replace(RAY, device="mps"), "device mps is of this machine alone, got engine ray; take engine local"),
        (replace(RAY, workers="none"), "workers must be auto or a whole number"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_anything_is_started(asked, said):
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        require_engine(asked)


def test_without_ray_its_install_command_is_named(monkeypatch):
    require_engine(RAY)
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"engine ray must be installed, got none; run pip install") as refused:
        require_engine(HpoRequest(engine="ray"))
    assert INSTALL in str(refused.value) and "\n" not in str(refused.value)


def test_one_machine_is_worked_on_as_before(stores):
    require_engine(USUAL)
    with connected(USUAL, stores):
        workforce = make_workforce(replace(USUAL, workers="3"), stores, Lease(7), timeout=5.0)
    assert (workforce.n_workers, workforce.lock, workforce.device, workforce.timeout) == (3, 7, "cpu", 5.0)
    assert isinstance(make_engine("s", workforce), LocalEngine)
    assert type(make_pool("search.workers.worker", "s", workforce, "s.log")) is WorkerPool
    assert make_workforce(USUAL, stores, Lease()).n_workers == count_cores()
    assert works_here(replace(USUAL, workers="1")) and not works_here(replace(RAY, workers="1"))
