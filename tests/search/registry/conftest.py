import shutil
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from rich.console import Console

from model.serving.package_info import package_facts
from model.serving.packaged import write_package
from model.training.trainer import predict_rows
from pipeline.datasets.raw_bars import raw_bars
from search.registry.packaging.mlflow_model import log_package
from search.registry.register import RegisterRequest, register
from search.study.study import load_study, open_or_create_study
from search.tracking.stores import Stores, resolve_stores
from search.trial.runner import TrialRunner

STUDY, MODEL = "tiny", "patchscale-^GSPC-h1"


@dataclass(frozen=True)
class Made:
    """A directory with a study of three finished trials; version 1 is the best as it is, version 2 refitted."""

    directory: Path
    said: tuple[str, str]


def open_stores(directory: Path) -> Stores:
    return resolve_stores(*(f"sqlite:///{directory}/mlruns/{name}.db" for name in ("mlflow", "optuna")))


def quiet_console() -> Console:
    return Console(file=StringIO(), width=1000, soft_wrap=True, highlight=False)


@pytest.fixture(scope="session")
def made(tmp_path_factory, template, planned):
    directory = tmp_path_factory.mktemp("made")
    shutil.copytree(template, directory / "mlruns")
    plan, dataset, root = planned
    stores = open_stores(directory)
    study = open_or_create_study(stores, replace(plan, study=STUDY), trials=3, data_root=root)
    runner = TrialRunner(study, dataset, device="cpu", report=lambda event: None, should_stop=lambda: False)
    for _ in range(3):
        runner.run_next()
    said = []
    for request in (RegisterRequest(as_is=True), RegisterRequest(seeds=2)):
        console = quiet_console()
        register(stores, STUDY, request, console)
        said.append(console.file.getvalue())
    return Made(directory=directory, said=tuple(said))


@pytest.fixture
def console():
    """A console whose text is ``console.file.getvalue()``."""
    return quiet_console()


@pytest.fixture
def shop(made, tmp_path, monkeypatch):
    """Stores of a test's own that start as the session's; artifacts of old runs are shared."""
    shutil.copytree(made.directory / "mlruns", tmp_path / "mlruns", ignore=shutil.ignore_patterns("artifacts"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return open_stores(tmp_path)


@pytest.fixture
def study(shop):
    return load_study(shop, STUDY)


@pytest.fixture
def shelf(home, stores):
    """A client of an empty registry, and a function that puts versions of nothing into it."""
    from search.tracking.stores import open_tracking

    client = open_tracking(stores)

    def add(model, count, **tags):
        if not client.search_registered_models(f"name = '{model}'"):
            client.create_registered_model(model)
        for _ in range(count):
            client.create_model_version(model, source="file:///nothing", tags=tags)

    client.add = add
    return client


@pytest.fixture(scope="session")
def logged(market, members, tmp_path_factory, template):
    """A package as a logged model in stores of its own, with what it must forecast."""
    home = tmp_path_factory.mktemp("home")
    store = home / "mlflow.db"
    store.write_bytes((template / "mlflow.db").read_bytes())
    root, dataset = market("r33")
    specs, models, windows = members("r33", (0, 1))
    facts = package_facts(specs, dataset, windows.rows.train, n_epochs=(1, 1), study="S")
    write_package(home / "package", members=list(zip(specs, models, strict=True)), facts=facts)
    uri = f"sqlite:///{store}"
    client = MlflowClient(tracking_uri=uri)
    run = client.create_run(client.create_experiment("e", artifact_location=str(home / "artifacts")))
    model_uri = log_package(client, run.info.run_id, home / "package", tags={"why": "test"})
    rows = windows.rows.validation[:40]
    p_D = np.mean([predict_rows(model, windows, rows) for model in models], axis=0)
    expected = pd.DataFrame({"date": dataset.dates[rows], "p": p_D})
    return client, run.info.run_id, model_uri, home, raw_bars(root, dataset), expected, uri
