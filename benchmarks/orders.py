"""What an engine takes of a trial: ``python -m benchmarks.orders``.

An order goes to a hand that answers at once with as many events as a trial has, by pipe to a process of this machine
and by Ray to an actor of it.  Time by the clock, from the order until the last event is heard.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np

EPOCHS = (1, 20)


def prepare(study: Any, device: str, orders: Any) -> Callable[[Any], None]:
    """Make what answers an order with an event an epoch, and one more."""

    def answer(order: Any) -> None:
        for epoch in range(order["epochs"]):
            orders.report({"event": "epoch", "number": 0, "epoch": epoch + 1, "of": order["epochs"]})
        orders.report({"event": "finished", "number": 0})

    return answer


def round_trips(pool: Any, count: int) -> dict[int, float]:
    """Median seconds of an order, by the number of its epochs."""
    worker, found = pool.start(), {}
    while pool.next_event()[1]["event"] != "ready":
        pass
    for epochs in EPOCHS:
        seconds = []
        for _ in range(count):
            began = time.perf_counter()
            worker.order({"epochs": epochs})
            while pool.next_event()[1]["event"] != "finished":
                pass
            seconds.append(time.perf_counter() - began)
        found[epochs] = float(np.median(seconds))
    return found


@click.command()
@click.option("--orders", default=200, show_default=True, help="Orders of each kind.")
def main(orders: int) -> None:
    """Print milliseconds an order."""
    from search.study.make_plan import make_plan
    from search.study.request import HpoRequest
    from search.study.study import open_or_create_study
    from search.tracking.stores import resolve_stores
    from search.workers.cluster import connected_to
    from search.workers.engines import make_pool
    from search.workers.pool import Workforce

    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        root = Path(directory) / "data"
        plan, _ = make_plan(HpoRequest(budget="5K", max_epochs=1, study="orders", tier="r25"), root=root)
        stores = resolve_stores()
        open_or_create_study(stores, plan, trials=1, data_root=root, pruner="none")
        local = Workforce(stores=stores, n_workers=1, device="cpu", lock=None)
        with connected_to(""):
            for workforce in (local, replace(local, engine="ray")):
                with make_pool(__spec__.name, "orders", workforce, "orders.log") as pool:
                    found = round_trips(pool, orders)
                said = ", ".join(f"{seconds * 1e3:.2f} ms with {n} epochs" for n, seconds in found.items())
                click.echo(f"{workforce.engine}: {said} (median of {orders})")
        os.chdir("/")
    libraries = ", ".join(f"{name} {version(name)}" for name in ("ray", "torch"))
    click.echo(
        f"{date.today()}, Python {sys.version.split()[0]}, {libraries}, {os.cpu_count()} cores {platform.machine()}, "
        f"load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["orders"]:  # as a worker process, whose arguments are a study and a device
        from search.workers.worker import serve

        serve(sys.argv[1:], prepare)
    else:
        main()
