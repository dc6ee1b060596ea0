"""Latency of a served forecast: one row of answer from raw bars, over HTTP, on one core.

A package of untrained models of a shape is saved in MLflow's form and served by ``mlflow models serve``; what
it answers does not depend on the time it takes.  Beside the time of a request by the clock, in the
same run: the server's processor time a request, which other work on the machine does not change, and of
the model's parts in this process: MLflow's parsing of the request, features (checks of the bars among them),
forward pass.

    python -m benchmarks.serving
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import numpy as np
import pandas as pd
import psutil
import torch
from mlflow.pyfunc.scoring_server import _parse_json_data

from model.serving.package_info import package_facts
from model.serving.packaged import PackagedModel, write_package
from model.spec.architecture import Architecture
from model.spec.spec import Data, Spec, Training
from model.training.host_memory import processor
from model.training.trainer import build_model
from model.windows import make_windows
from pipeline.datasets.build import build_dataset
from pipeline.datasets.raw_bars import raw_bars
from pipeline.snapshots.snapshot import save_snapshot
from pipeline.sources import Download
from pipeline.sources.sample import SampleSource
from pipeline.splits.splits import parse_split
from pipeline.splits.target import Target
from search.registry.packaging.mlflow_model import clean_environment, save_form

LIMIT_MS = 50.0
"""95 of 100 answers of a 2M model, by the clock."""
SHAPES = ("d64-L64-h8-ff128", "d192-L4-h8-ff768")
TIER = "r33"
WARM_UP = 20


def make_package(root: Path, label: str, members: int, directory: Path) -> pd.DataFrame:
    """Write a package of untrained models on the S&P 500 and a made-up ^VIX; what a client sends for its last day."""
    index = SampleSource().fetch("^GSPC")
    level = 20 * np.exp(0.4 * np.sin(np.arange(len(index.bars)) / 40))
    prices = dict.fromkeys(("open", "high", "low", "close", "adj_close"), level)
    bars = index.bars.assign(**prices, volume=0.0)
    vix = Download(ticker="^VIX", bars=bars, adjusted=False, library=index.library)
    snapshot, other = (save_snapshot(root, "sample", download) for download in (index, vix))
    dataset = build_dataset(root, snapshot, TIER, auxiliary=(other,))
    specs = [
        Spec(
            data=Data(
                dataset=dataset.digest,
                snapshots=",".join(f"{ticker}={digest}" for ticker, digest in dataset.snapshots.items()),
                ticker=dataset.ticker,
                source=dataset.source,
                tier=TIER,
            ),
            target=Target(horizon=1),
            split=parse_split("auto", dataset.dates),
            architecture=architecture_of(label, len(dataset.features)),
            training=Training(),
            budget="2M",
            tolerance=0.999,
            seed=seed,
        )
        for seed in range(members)
    ]
    windows = make_windows(dataset, specs[0].target, specs[0].split, specs[0].architecture.context_length)
    facts = package_facts(specs, dataset, windows.rows.train, n_epochs=[0] * members)
    write_package(directory, members=[(spec, build_model(spec, windows)) for spec in specs], facts=facts)
    frame = raw_bars(root, dataset)
    sent = frame.tail(PackagedModel.load(directory).required_days)
    return sent.assign(date=sent["date"].dt.strftime("%Y-%m-%d"))


def architecture_of(label: str, n_features: int) -> Architecture:
    """Architecture of a label such as ``d64-L64-h8-ff128``."""
    numbers = re.fullmatch(r"d(\d+)-L(\d+)-h(\d+)-ff(\d+)", label)
    if numbers is None:
        raise SystemExit(f"a shape must look like d64-L64-h8-ff128, got {label!r}")
    d_model, n_layers, n_heads, d_ff = map(int, numbers.groups())
    return Architecture(n_features=n_features, d_model=d_model, n_layers=n_layers, n_heads=n_heads, d_ff=d_ff)


@contextmanager
def served(form: Path, core: int) -> Iterator[tuple[int, psutil.Process]]:
    """Serve a model on one core: port, and the process that answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**clean_environment("sqlite:///nowhere.db"), "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    command = f"mlflow models serve -m {form} --env-manager local --port {port}"
    with (form.parent / "server.log").open("w") as log:
        server = subprocess.Popen(
            command.split(), cwd=form.parent, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        psutil.Process(server.pid).cpu_affinity([core])
        until = time.monotonic() + 180
        while not is_up(port):
            if time.monotonic() > until or server.poll() is not None:
                raise SystemExit(f"the server must come up: {(form.parent / 'server.log').read_text()[-1000:]}")
            time.sleep(0.2)
        processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        yield port, max(processes, key=lambda process: process.memory_info().rss)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def is_up(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def ask(port: int, body: bytes) -> None:
    """One request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200 or len(json.loads(text)["predictions"]) != 1:
        raise SystemExit(f"a request must be answered by one row, got {answer.status}: {text[:300]!r}")


def over_http(form: Path, body: bytes, requests: int, core: int) -> tuple[list[float], float]:
    """Milliseconds of every request by the clock, and of the server's processor a request."""
    with served(form, core) as (port, process):
        for _ in range(WARM_UP):
            ask(port, body)
        before = sum(process.cpu_times()[:2])
        clock = [timed(lambda: ask(port, body), time.perf_counter) for _ in range(requests)]
        return clock, 1e3 * (sum(process.cpu_times()[:2]) - before) / requests


def timed(step: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Milliseconds of one call."""
    started = clock()
    step()
    return 1e3 * (clock() - started)


def median(step: Callable[[], object], rounds: int = 15) -> float:
    """Median milliseconds of processor time."""
    step()
    return statistics.median(timed(step) for _ in range(rounds))


def in_process(directory: Path, form: Path, body: bytes) -> dict[str, float]:
    """Milliseconds of processor time of the parts of a request."""
    packaged = PackagedModel.load(directory)
    metadata = mlflow.models.Model.load(str(form))
    schema = metadata.get_input_schema()
    frame = _parse_json_data(body, metadata, schema).data
    last_DF = packaged.features(frame)[1][-packaged.context_length :]
    return {
        "parse": median(lambda: _parse_json_data(body, metadata, schema)),
        "features": median(lambda: packaged.features(frame)),
        "forward": median(lambda: packaged.probabilities(last_DF)),
    }


def report(label: str, members: int, requests: int, core: int) -> bool:
    """Print the line of a shape; whether its limit is kept."""
    with TemporaryDirectory() as made:
        home = Path(made)
        sent = make_package(home / "data", label, members, home / "package")
        packaged = PackagedModel.load(home / "package")
        save_form(home / "form", home / "package", packaged)
        body = json.dumps({"dataframe_split": sent.to_dict("split", index=False)}).encode()
        clock, busy = over_http(home / "form", body, requests, core)
        parts = in_process(home / "package", home / "form", body)
        size = packaged.spec.n_params
    p50, p95 = np.percentile(clock, [50, 95])
    limited = members == 1
    verdict = ("kept" if p95 < LIMIT_MS else "MISSED") if limited else "–"
    shown = [f"{value:.1f}" for value in (min(clock), p50, p95, busy, *parts.values())]
    print(f"| {label} | {size / 1e6:.2f}M | {members} | {' | '.join(shown)} | {verdict} |", flush=True)
    return not limited or bool(p95 < LIMIT_MS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 where the limit is not kept."""
    parser = argparse.ArgumentParser(description="Latency of a served forecast.")
    parser.add_argument("--shape", nargs="+", default=list(SHAPES))
    parser.add_argument("--members", nargs="+", type=int, default=[1, 3])
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--nice", type=int, default=0, help="-20 puts server and client before other work (root)")
    options = parser.parse_args(arguments)
    for label in options.shape:
        architecture_of(label, 1)

    torch.set_num_threads(1)
    os.setpriority(os.PRIO_PROCESS, 0, options.nice)
    named = " · ".join(f"{name} {version(name)}" for name in ("mlflow", "torch", "pandas", "TA-Lib"))
    print(f"{date.today()} · Python {platform.python_version()} · {named} · {platform.system()} ", end="")
    print(f"{platform.machine()} · {processor()} · {os.cpu_count()} cores, server on one · ", end="")
    print(f"load {os.getloadavg()[0]:.1f} before, nice {options.nice} · ", end="")
    print(f"{options.requests} requests one after another, tier {TIER}")
    print(f"milliseconds; limit: p95 of one member below {LIMIT_MS:g} by the clock")
    print("| shape | size | members | least | p50 | p95 | processor | parse | features | forward | limit |")
    print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    kept = [
        report(label, members, options.requests, options.core) for label in options.shape for members in options.members
    ]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    raise SystemExit(main())
