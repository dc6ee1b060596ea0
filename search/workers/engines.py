"""Which engine: worker processes of this machine, or actors of a Ray cluster, with what each asks of a request."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

from model.training.device import ACCELERATORS, CPU, CUDA, MPS, choose_device, known_device
from pipeline.exceptions import InputError
from search.study.values import process_count
from search.tracking.database import database_of
from search.tracking.lease import Lease
from search.tracking.stores import Stores
from search.workers.count import count_workers
from search.workers.engine import Engine
from search.workers.local import LocalEngine, PoolEngine
from search.workers.pool import Pool, WorkerPool, Workforce

LOCAL, RAY = "local", "ray"
INSTALL = "pip install 'patchscale[ray]'"
ADDRESS_VARIABLE = "RAY_ADDRESS"


class Asked(Protocol):
    """What a request says of who works."""

    @property
    def engine(self) -> str: ...  # noqa: D102
    @property
    def address(self) -> str: ...  # noqa: D102
    @property
    def gpus_per_trial(self) -> float: ...  # noqa: D102
    @property
    def workers(self) -> str: ...  # noqa: D102
    @property
    def device(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineOptions:
    """What a request says of who works.

    Parameters
    ----------
    engine, address, gpus_per_trial, workers, device
        As of :class:`search.study.request.HpoRequest`.
    """

    engine: str
    address: str
    gpus_per_trial: float
    workers: str
    device: str


def require_engine(asked: Asked) -> None:
    """Check what a request says of who works.

    Raises
    ------
    InputError
        Naming the first rule that a value breaks.
    """
    if asked.engine == LOCAL:
        for name, value in (("address", asked.address), ("gpus_per_trial", asked.gpus_per_trial)):
            if value:
                raise InputError(f"{name} is of a Ray cluster, got {value} with engine local; add --engine ray")
        if known_device("device", asked.device) in ACCELERATORS:
            choose_device(asked.device)  # torch is loaded for nothing else
        process_count("workers", asked.workers)
        return
    process_count("workers", asked.workers)
    if find_spec("ray") is None:
        raise InputError(f"engine ray must be installed, got none; run {INSTALL}")
    if asked.address.startswith("ray://"):
        raise InputError(
            f"address must be that of a Ray cluster which this machine is a node of, got {asked.address}; run the "
            "command on a node, with --address auto"
        )
    if asked.device == MPS:
        raise InputError("device mps is of this machine alone, got engine ray; take engine local, or another device")
    if asked.device == CUDA and not asked.gpus_per_trial:
        raise InputError("device cuda needs a GPU on Ray, got gpus_per_trial 0; add --gpus-per-trial 1")
    if asked.device == CPU and asked.gpus_per_trial:
        raise InputError(f"device cpu needs no GPU, got gpus_per_trial {asked.gpus_per_trial:g}; leave one of them out")


def works_here(asked: Asked) -> bool:
    """Whether one worker is asked for on this machine: then this process is that."""
    return asked.engine == LOCAL and count_workers(asked.workers, str(choose_device(asked.device).type)) == 1


@contextmanager
def connected(asked: Asked, stores: Stores) -> Iterator[None]:
    """Be connected to what a request names, inside; a Ray that is started for it ends with it.

    Raises
    ------
    InputError
        If there is no such cluster, or not every node of it can reach the stores.
    """
    if asked.engine == LOCAL:
        yield
        return
    from search.workers.cluster import connected_to, require_one_node

    with connected_to(asked.address or os.environ.get(ADDRESS_VARIABLE, "")):
        for option, uri in (("storage", stores.storage_uri), ("tracking_uri", stores.tracking_uri)):
            if database_of(uri) is not None:
                require_one_node(option, uri)
        yield


def make_workforce(
    asked: Asked, stores: Stores, lease: Lease, *, launched: bool = False, timeout: float | None = None
) -> Workforce:
    """Say who works, once :func:`connected`.

    Raises
    ------
    InputError
        If no node of the cluster has what a trial needs.
    """
    device = asked.device
    if asked.engine == LOCAL:
        n_workers = count_workers(asked.workers, str(choose_device(device).type))
    else:
        from search.workers.cluster import count_places

        places = count_places(asked.gpus_per_trial)
        n_workers = places if asked.workers == "auto" else int(asked.workers)
        device = CUDA if asked.gpus_per_trial else CPU
    return Workforce(
        stores=stores,
        n_workers=n_workers,
        device=device,
        lock=lease.handle,
        lease=lease,
        launched=launched,
        timeout=timeout,
        engine=asked.engine,
        gpus_per_trial=asked.gpus_per_trial,
    )


def make_pool(module: str, study_name: str, workforce: Workforce, log_name: str) -> Pool:
    """Make a pool of workers that do as the module's ``prepare`` says: see :mod:`search.workers.worker`."""
    if workforce.engine == LOCAL:
        return WorkerPool(module, study_name, workforce, log_name)
    from search.workers.ray import RayPool

    return RayPool(module, study_name, workforce)


def make_engine(study_name: str, workforce: Workforce) -> Engine:
    """Make the engine that runs a study's trials."""
    if workforce.engine == LOCAL:
        return LocalEngine(study_name, workforce)
    return PoolEngine(make_pool("search.workers.worker", study_name, workforce, ""))
