"""A Ray cluster of two nodes on this machine, which ends with whoever started it, however that ends.

Run as a program it says its address and obeys a word a line: ``kill`` ends the second node as a power cut does,
``stop`` and ``continue`` what works on it, and ``add`` starts it again, ``add DIRECTORY`` with a directory that its
Python looks into first.  It ends when its standard input is closed, which a killed parent does too.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

PROJECT = Path(__file__).resolve().parents[2]
OWN = ("PATCHSCALE_", "MLFLOW_", "PG", "RAY_ADDRESS")
"""Beginnings of the variables of whoever runs the tests, which no node has."""
SMALL = {
    "num_cpus": 1,
    "include_dashboard": False,
    "object_store_memory": 100 * 1024 * 1024,
}
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "continue": signal.SIGCONT}
"""What the actors of the second node get at a word."""


class RayCluster:
    """Two nodes of one core; the first is where drivers of this machine connect.

    Attributes
    ----------
    address : str
        Of the cluster.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # sockets lie in it: a short one
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self.directory)],
            env={
                **kept,
                **{"PYTHONPATH": str(PROJECT), "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": str(self.directory)},
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.address = self._heard()
        self.is_whole = True

    def kill_node(self) -> None:
        """End the second node at once, and everything on it."""
        self._tell("kill")
        self.is_whole = False

    def stop_node(self) -> None:
        """Have what works on the second node stand still."""
        self._tell("stop")

    def continue_node(self) -> None:
        """Have it go on."""
        self._tell("continue")

    def add_node(self, path: str = "") -> None:
        """Have a second node again, perhaps one whose Python looks into another directory first."""
        if not self.is_whole:
            self._tell(f"add {path}")
            self.is_whole = True

    def actors(self) -> list[psutil.Process]:
        """Processes of actors that live on its nodes."""
        return actors_of(self._process.pid)

    def close(self) -> None:
        """End it, and remove what it wrote."""
        self._process.communicate()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _tell(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        self._heard()

    def _heard(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("> "):
                return line[2:].strip()
        raise RuntimeError("a Ray cluster must start, got one that did not")


def actors_of(pid: int) -> list[psutil.Process]:
    """Processes of actors below another one."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):
            if "RayHand" in " ".join(process.cmdline()):
                found.append(process)
    return found


def run(directory: str) -> None:
    """Be the cluster."""
    import ray
    from ray.cluster_utils import Cluster

    Path(directory, "ray").mkdir()  # where it writes its address for whoever names none, as RAY_TMPDIR says
    cluster = Cluster(initialize_head=True, head_node_args={**SMALL, "temp_dir": directory})
    second: Any = cluster.add_node(**SMALL, temp_dir=directory)
    print(f"> {cluster.address}", flush=True)
    for line in sys.stdin:
        on_it = actors_of(second.all_processes["raylet"][0].process.pid) if second.any_processes_alive() else []
        if line.strip() == "kill":
            cluster.remove_node(second, allow_graceful=False)
        if line.strip() in SIGNALS:
            for actor in on_it:
                with suppress(psutil.NoSuchProcess):
                    actor.send_signal(SIGNALS[line.strip()])
        else:
            first = line.removeprefix("add ").strip()
            path = {"PYTHONPATH": os.pathsep.join(filter(None, [first, str(PROJECT)]))}
            second = cluster.add_node(**SMALL, temp_dir=directory, env_vars=path)
        print("> done", flush=True)
    cluster.shutdown()
    ray.shutdown()
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    run(sys.argv[1])
