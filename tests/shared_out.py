"""Which of pytest's processes runs which test file: tests on servers wait, so they have a process beside the others."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

ON_SERVERS = "tests/servers/"
"""Directory of the tests that wait for PostgreSQL, MLflow's server and Ray."""
BRIEF = ("tests/model/", "tests/pipeline/")
"""Directories of tests that need no server and no study that is trained once a session."""


class ServersBeside(LoadFileScheduling):
    """Whole files to whoever is free; of more than two processes the last takes those on servers, then brief ones.

    So servers and what is trained once a session are not made in a process more, and whatever the tests on servers
    wait for, two others are at work; these leave the brief files for the end, when all three share them.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        beside = len(self.registered_collections) > 2 and node is list(self.registered_collections)[-1]
        on_servers, brief, others = [], [], []
        for scope in self.workqueue:
            (on_servers if scope.startswith(ON_SERVERS) else brief if scope.startswith(BRIEF) else others).append(scope)
        wanted = on_servers + brief if beside else others + brief + on_servers
        if not wanted:
            node.shutdown()
            return
        self.workqueue.move_to_end(wanted[0], last=False)
        super()._assign_work_unit(node)
