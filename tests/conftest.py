import os
from dataclasses import replace
from functools import cache
from itertools import chain, zip_longest
from subprocess import TimeoutExpired
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from model.spec.architecture import Architecture
from model.spec.spec import Data, Spec, Training
from model.training.trainer import build_model
from model.windows import make_windows
from pipeline.datasets.build import build_dataset
from pipeline.snapshots.snapshot import save_snapshot
from pipeline.sources import Download
from pipeline.sources.sample import SampleSource
from pipeline.splits.splits import parse_split
from pipeline.splits.target import Target
from tests.forking_commands import SERVERS, remember_schemas, wait_for_no_disk
from tests.forking_commands import run as run_forked
from tests.servers.fixtures import cluster, machine, postgres, storage_url, tracking_server, two_nodes
from tests.shared_out import ON_SERVERS, ServersBeside

__all__ = ["cluster", "machine", "postgres", "storage_url", "tracking_server", "two_nodes"]

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
for name in ("MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID"):
    os.environ.pop(name, None)

torch.set_num_threads(1)
wait_for_no_disk()

settings.register_profile(
    "patchscale",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("few", settings.get_profile("patchscale"), max_examples=20)
settings.load_profile("patchscale")

COSTLY = ("made", "browser", "launch", "cloned", "postgres", "two_nodes")


def pytest_itemcollected(item):
    """What is slow by its fixtures is marked so."""
    if any(name in getattr(item, "fixturenames", ()) for name in COSTLY):
        item.add_marker(pytest.mark.slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Of three processes one takes the tests on servers."""
    return ServersBeside(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """A worker takes what is slow first, so that none is left alone with it at the end.

    Tests on servers wait for a third of their time: their files take turns with others, which fill it.
    """
    if not hasattr(config, "workerinput"):
        return
    slow = dict.fromkeys(str(i.path) for i in items if i.nodeid.startswith(ON_SERVERS) or i.get_closest_marker("slow"))
    on_servers, others = ([p for p in slow if (ON_SERVERS in p) is there] for there in (True, False))
    rank = {path: place for place, path in enumerate(filter(None, chain(*zip_longest(on_servers, others))))}
    items.sort(key=lambda item: rank.get(str(item.path), len(rank)))


def pytest_collection_finish():
    """What tests import is imported."""
    remember_schemas()


def pytest_sessionfinish():
    """No server of commands is left behind."""
    SERVERS.close()


@pytest.fixture(scope="session", autouse=True)
def forked_proofs():
    """Packaged models are proved in processes that are forked; test_fresh_process.py starts its own."""
    from search.registry.packaging import fresh_process

    forked = SimpleNamespace(run=run_forked, TimeoutExpired=TimeoutExpired)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh_process, "subprocess", forked)
        yield patch


@pytest.fixture(scope="session")
def market(tmp_path_factory):
    """``market("r33")``: data directory with the S&P 500, its dividends and ^VIX made up, and a dataset version."""
    root = tmp_path_factory.mktemp("market")
    index = SampleSource().fetch("^GSPC")
    quarters_left = (len(index.bars) - np.arange(len(index.bars))) // 63
    paying = replace(index, bars=index.bars.assign(adj_close=index.bars["close"] * 0.995**quarters_left))
    snapshot = save_snapshot(root, "sample", paying)
    level = 20 * np.exp(0.4 * np.sin(np.arange(len(index.bars)) / 40))
    prices = dict.fromkeys(("open", "high", "low", "close", "adj_close"), level)
    vix = Download(ticker="^VIX", bars=index.bars.assign(**prices, volume=0.0), adjusted=False, library=index.library)
    auxiliary = (save_snapshot(root, "sample", vix),)
    return cache(lambda tier: (root, build_dataset(root, snapshot, tier, auxiliary=auxiliary)))


@pytest.fixture(scope="session")
def members(market):
    """``members("r33", (0, 1))``: specs, untrained models with lively weights, and windows."""

    def make(tier, seeds, context_length=60, **training):
        _, dataset = market(tier)
        data = Data(
            dataset=dataset.digest,
            snapshots=",".join(f"{ticker}={digest}" for ticker, digest in dataset.snapshots.items()),
            ticker=dataset.ticker,
            source=dataset.source,
            tier=tier,
        )
        shape = Architecture(
            n_features=len(dataset.features), context_length=context_length, d_model=16, n_layers=2, n_heads=2, d_ff=32
        )
        specs = [
            Spec(
                data=data,
                target=Target(horizon=2, threshold=0.02),
                split=parse_split("2012-12-31/2014-12-31/2016-12-31", dataset.dates),
                architecture=shape,
                training=Training(**{"init": "normal", **training}),
                budget="10K",
                tolerance=0.5,
                seed=seed,
            )
            for seed in seeds
        ]
        windows = make_windows(dataset, specs[0].target, specs[0].split, context_length)
        models = [build_model(spec, windows).eval() for spec in specs]
        with torch.no_grad():
            for parameter in (p for model in models for p in model.parameters() if p.ndim > 1):
                parameter.mul_(5.0)
        return specs, models, windows

    return make
