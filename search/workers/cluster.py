"""A Ray cluster: connected to, or started on this machine alone; its nodes, and what they have room for."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.exceptions import LONGEST, InputError, describe_error, shortened
from pipeline.redaction import redacted
from search.workers.signals import SIGNALS

if TYPE_CHECKING:
    from types import ModuleType

SHORT_DIRECTORY = "/tmp"
"""Where sockets lie: their paths may have 107 bytes, and TMPDIR may be long."""
OBJECT_STORE_BYTES = 100 * 1024 * 1024
SECONDS_TO_ANSWER = 5.0
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""No report to others, and nothing of this directory uploaded."""


def ray() -> ModuleType:
    """Import Ray."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    return import_module("ray")


@contextmanager
def connected_to(address: str) -> Iterator[None]:
    """Be connected to a cluster inside; without an address to a Ray of this machine alone, which ends with it.

    Raises
    ------
    InputError
        If there is none at this address, or one of another version.
    """
    if ray().is_initialized():
        yield
        return
    with ExitStack() as stack:
        how = {"address": address} if address else {"address": "local", **stack.enter_context(_alone())}
        stack.callback(ray().shutdown)
        with _kept_handlers():
            try:
                _require_answer(address)
                ray().init(log_to_driver=False, logging_level="CRITICAL", **how)
            except Exception as error:
                raise InputError(_failed(address, error)) from error
        vars(import_module("ray._private.worker"))["print_to_stdstream"] = _say_nothing
        yield


def _failed(address: str, error: Exception) -> str:
    """Say why there is no cluster."""
    if not address:
        return f"engine ray must be able to start Ray on this machine, got {in_one_line(error)}; see --address"
    return (
        f"address must be that of a Ray cluster of the same versions, which this machine is a node of, got {address} "
        f"({describe_error(error)}); see ray status"
    )


@contextmanager
def _kept_handlers() -> Iterator[None]:
    """Let signals be handled as before, whatever Ray makes of them inside."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _alone() -> Iterator[dict[str, Any]]:
    """Give the settings of a Ray of this machine alone, in a directory with a short name that is removed afterwards."""
    parent = SHORT_DIRECTORY if os.access(SHORT_DIRECTORY, os.W_OK) else None
    with TemporaryDirectory(prefix="ray-", dir=parent, ignore_cleanup_errors=True) as directory:
        yield {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES, "_temp_dir": directory}


def _say_nothing(*told: object, **how: object) -> None:
    """Stand in for what prints the last lines of a lost node's log: the loss is said in one."""


def _require_answer(address: str) -> None:
    """Find out at once that nobody is there, which Ray finds out in minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_ANSWER).close()


def nodes() -> list[Mapping[str, Any]]:
    """Nodes of the cluster that are alive."""
    return [node for node in ray().nodes() if node["Alive"]]


def require_one_node(option: str, uri: str) -> None:
    """Refuse a store that only one machine can open where the cluster has several nodes.

    Raises
    ------
    InputError
        Saying so.
    """
    count = len(nodes())
    if count > 1:
        raise InputError(
            f"{option} must be a store that every node of the cluster can reach, got {uri} with {count} nodes; use a "
            "PostgreSQL database and an MLflow server, or leave --address out"
        )


def count_places(gpus_per_trial: float) -> int:
    """How many trials the cluster can run at once.

    Raises
    ------
    InputError
        If it can run none.
    """
    places = 0
    for node in nodes():
        resources = node["Resources"]
        cores = int(resources.get("CPU", 0))
        places += min(cores, int(resources.get("GPU", 0) / gpus_per_trial + 1e-6)) if gpus_per_trial else cores
    if not places:
        needed = f"a core and {gpus_per_trial:g} GPU" if gpus_per_trial else "a core"
        raise InputError(f"a trial needs a node with {needed}, got none in the cluster; see ray status")
    return places


def is_answering(node_id: str) -> bool:
    """Whether a node can be reached; the cluster itself needs some seconds to know that it can't."""
    for node in nodes():
        if node["NodeID"] == node_id:
            with suppress(OSError):
                address = node["NodeManagerAddress"], node["NodeManagerPort"]
                socket.create_connection(address, timeout=SECONDS_TO_ANSWER).close()
                return True
    return False


def in_one_line(error: BaseException) -> str:
    """Say an error of Ray, which takes many lines for it, in one."""
    return shortened(redacted(" ".join(f"{type(error).__name__}: {error}".split())), LONGEST)
