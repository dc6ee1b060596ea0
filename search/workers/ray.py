"""Workers that are actors of a Ray cluster.

Ray starts nothing again that was lost: the coordinator does, so that nothing runs twice.  What a worker is told and
says is what a worker process is told and says.  Addresses, which may hold passwords, are told to a worker that runs the
same versions as this process, and stand nowhere else.
"""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.exceptions import InputError, describe_error
from pipeline.redaction import VARIABLES, keep_secret_variables
from search.tracking.database import database_of
from search.workers.cluster import in_one_line, is_answering, ray
from search.workers.engine import NODE_LOST
from search.workers.pool import LAUNCHER_VARIABLES, OWN_VARIABLES, Event, Pool, Worker, Workforce
from search.workers.single_thread import single_thread
from search.workers.versions import difference, own_versions
from search.workers.worker import STOP, Told, work

HELLO, BROKEN, REFUSED = "hello", "broken", "refused"
"""Events between an actor and its pool."""
KILL, CLOSE, RELEASE = "kill", "close", "release"
"""Orders that never reach an actor: end it at once, free it after its end, send it what was held back."""
ORDERS = "orders"
"""Concurrency group of what an actor is told while it works: one thread, so that the order stays."""
PASSED_VARIABLES = (*VARIABLES, "MLFLOW_TRACKING_USERNAME", "PGUSER")
"""What this process knows of the stores beside their addresses, told to each worker."""
SECONDS_TO_END = 30.0


@dataclass(eq=False)
class RayWorker(Worker):
    """An actor, seen from this process.

    Parameters
    ----------
    actor : ActorHandle
        Of a :class:`RayHand`.
    post : callable
        Sends what it is told, in the order in which it was told, from a thread: signal handlers tell, too.
    """

    actor: Any
    post: Any
    host: str = ""
    node: str = ""
    is_greeted: bool = False
    is_ready: bool = False
    is_killed: bool = False
    is_node_lost: bool = False
    error: str = ""
    held: list[Any] = field(default_factory=list)
    """Orders that came before it said which versions it runs."""

    def order(self, order: Any) -> None:
        """Send one order; a worker that is not ready yet has nothing to stop, and ends at once."""
        self.post((self, order))

    def kill(self) -> None:
        """Kill it."""
        self.post((self, KILL))


class RayPool(Pool):
    """Actors of the cluster that this process is connected to.

    Parameters
    ----------
    module : str
        Whose ``prepare`` makes what does an order: see :func:`search.workers.worker.work`.
    study_name : str
        What they work on.
    workforce : Workforce
        How many there may be, and what each needs.
    """

    chances = 3

    def __init__(self, module: str, study_name: str, workforce: Workforce) -> None:
        super().__init__(workforce)
        self._work = (module, study_name, workforce.device)
        self._own = own_versions()
        self._here = ray().get_runtime_context().get_node_id()
        self._posted: queue.SimpleQueue[tuple[RayWorker, Any] | None] = queue.SimpleQueue()
        self._sender = threading.Thread(target=self._send, daemon=True)
        self._sender.start()

    def __exit__(self, *cause: object) -> None:
        self.kill()
        while self.workers and super().next_event(SECONDS_TO_END) is not None:
            pass
        self.workers.clear()
        self._posted.put(None)
        self._sender.join(SECONDS_TO_END)

    def start(self) -> RayWorker:
        """Start one more actor, as soon as a node has room for it."""
        options: dict[str, Any] = {}
        if any(database_of(uri) for uri in self._addresses):
            affinity = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
            options["scheduling_strategy"] = affinity(self._here, soft=False)
        actor = ray().remote(
            num_cpus=1,
            num_gpus=self.workforce.gpus_per_trial,
            max_restarts=0,
            max_task_retries=0,
            concurrency_groups={ORDERS: 1},
            **options,
        )(RayHand)
        worker = RayWorker(actor.remote(), self._posted.put)
        self.workers.append(worker)
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
        return worker

    def next_event(self, timeout: float | None = None) -> tuple[Worker, Event | None] | None:
        """Wait for what an actor says next.

        Raises
        ------
        InputError
            If an actor's node runs other versions than this process.
        """
        heard = super().next_event(timeout)
        if heard is not None and heard[1] is not None and heard[1]["event"] == REFUSED:
            raise InputError(heard[1]["error"])
        return heard

    def ended(self, worker: Worker) -> Event:
        """Say how an actor ended, and whether its node took it along."""
        assert isinstance(worker, RayWorker)
        if worker.is_killed or not worker.error:
            return {"event": "left", "error": "", "how": "an actor that was told to"}
        place = worker.host or "a node"
        error = f"node {place} was lost" if worker.is_node_lost else f"an actor on {place} ended: {worker.error}"
        return {"event": "lost", "error": error, "how": error, NODE_LOST: worker.is_node_lost}

    @property
    def _addresses(self) -> list[str]:
        return [self.workforce.stores.tracking_uri, self.workforce.stores.storage_uri]

    def _send(self) -> None:
        while (posted := self._posted.get()) is not None:
            with suppress(Exception):  # an actor that can't be told is one whose end is heard
                self._deliver(*posted)

    def _deliver(self, worker: RayWorker, order: Any) -> None:
        if order == KILL or (order == STOP and not worker.is_ready):
            worker.is_killed = True
            ray().kill(worker.actor)
        elif order == CLOSE:
            ray().kill(worker.actor)
        elif not worker.is_greeted:
            worker.held.append(order)
        else:
            held, worker.held = worker.held, []
            for each in (*held, *(() if order == RELEASE else (order,))):
                worker.actor.order.options(concurrency_group=ORDERS).remote(each)

    def _listen(self, worker: RayWorker) -> None:
        try:
            for said in worker.actor.events.remote(*self._work):
                self._hear(worker, ray().get(said))
        except Exception as error:
            worker.error = worker.error or in_one_line(error)
            worker.is_node_lost = bool(worker.node) and not is_answering(worker.node)
        finally:
            worker.post((worker, CLOSE))
            self._events.put((worker, None))

    def _hear(self, worker: RayWorker, event: Event) -> None:
        if event["event"] == HELLO:
            worker.host, worker.node = event["host"], event["node"]
            self._greet(worker, event)
        elif event["event"] == BROKEN:
            worker.error = event["error"]
        else:
            worker.is_ready = worker.is_ready or event["event"] == "ready"
            self._events.put((worker, event))

    def _greet(self, worker: RayWorker, event: Event) -> None:
        """Tell an actor of the same versions where the stores are."""
        different = difference(event["versions"], self._own)
        if different:
            error = (
                f"every node must run what this one runs, got {worker.host} with {different}; install the same there"
            )
            self._events.put((worker, {"event": REFUSED, "error": error}))
            return
        home = str(self.workforce.stores.home) if worker.node == self._here else event["home"]
        known = {name: os.environ[name] for name in PASSED_VARIABLES if name in os.environ}
        tell = worker.actor.order.options(concurrency_group=ORDERS).remote
        worker.actor.equip.options(concurrency_group=ORDERS).remote(known)
        tell([*self._addresses, home])
        worker.is_greeted = True
        self._posted.put((worker, RELEASE))


class Mail(Told):
    """What an actor is told by calls, and answers through a queue."""

    def __init__(self) -> None:
        super().__init__()
        self.said: queue.SimpleQueue[Event | None] = queue.SimpleQueue()

    def report(self, event: dict[str, Any]) -> None:
        """Say what happened."""
        self.said.put(event)


class RayHand:
    """The actor, on its node: does in a thread what a worker process does, and says so in a stream."""

    def __init__(self) -> None:
        self._mail = Mail()

    def equip(self, environment: Mapping[str, str]) -> None:
        """Know of the stores what the command knows beside their addresses."""
        os.environ.update(environment)
        keep_secret_variables()

    def order(self, order: Any) -> None:
        """Take note of an order."""
        self._mail.put(order)

    def events(self, module: str, study_name: str, device: str) -> Iterator[Event]:
        """Say which versions run here; then do what is ordered, and say so, until told to stop."""
        context = ray().get_runtime_context()
        node = context.get_node_id()
        home = Path(context.get_temp_dir()) / context.get_session_name() / f"patchscale-{node[:12]}"
        home.mkdir(parents=True, exist_ok=True)
        versions = own_versions()
        yield {"event": HELLO, "host": socket.gethostname(), "node": node, "home": str(home), "versions": versions}
        threading.Thread(target=self._work, args=(module, study_name, device), daemon=True).start()
        while (event := self._mail.said.get()) is not None:
            yield event

    def _work(self, module: str, study_name: str, device: str) -> None:
        try:
            for name in LAUNCHER_VARIABLES:
                os.environ.pop(name, None)
            os.environ.update(OWN_VARIABLES)
            with single_thread():
                work(self._mail, study_name, device, import_module(module).prepare)
        except BaseException as error:
            self._mail.said.put({"event": BROKEN, "error": describe_error(error)})
        finally:
            self._mail.said.put(None)
