"""Which of pytest's processes runs which test file: tests on servers wait, so they have a process beside the others."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

ON_SERVERS = "tests/servers/"
"""Directory of the tests that wait for PostgreSQL, MLflow's server and Ray."""


class ServersBeside(LoadFileScheduling):
    """Whole files to whoever is free; of more than two processes the last takes those on servers, and no other.

    So servers and what is trained once a session are not made in a process more, and whatever the tests on servers
    wait for, two others are at work.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        beside = len(self.registered_collections) > 2 and node is list(self.registered_collections)[-1]
        wanted = [scope for scope in self.workqueue if scope.startswith(ON_SERVERS) is beside]
        if beside and not wanted:
            node.shutdown()
            return
        self.workqueue.move_to_end((wanted or list(self.workqueue))[0], last=False)
        super()._assign_work_unit(node)
