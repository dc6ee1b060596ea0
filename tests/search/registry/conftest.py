import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from rich.console import Console

from search.registry.register import Request, register
from search.stores import Stores, resolve_stores
from search.study import load_study, open_or_create_study
from search.trial import TrialRunner

STUDY = "tiny"


@dataclass(frozen=True)
class Made:
    """A directory with a study of three finished trials, and a version of the best one, as it is."""

    directory: Path
    said: str


def open_stores(directory: Path) -> Stores:
    return resolve_stores(*(f"sqlite:///{directory}/mlruns/{name}.db" for name in ("mlflow", "optuna")))


@pytest.fixture(scope="module")
def made(tmp_path_factory, template, planned):
    directory = tmp_path_factory.mktemp("made")
    shutil.copytree(template, directory / "mlruns")
    plan, dataset, root = planned
    stores = open_stores(directory)
    study = open_or_create_study(stores, replace(plan, study=STUDY), trials=3, data_root=root)
    runner = TrialRunner(study, dataset, device="cpu", report=lambda event: None, should_stop=lambda: False)
    for _ in range(3):
        runner.run_next()
    console = Console(record=True, width=400, quiet=False, file=open("/dev/null", "w"))
    register(stores, STUDY, Request(as_is=True), console)
    return Made(directory=directory, said=console.export_text())


@pytest.fixture
def shop(made, tmp_path, monkeypatch):
    """Stores of a test's own that start as the module's; artifacts of old runs are shared."""
    shutil.copytree(made.directory / "mlruns", tmp_path / "mlruns", ignore=shutil.ignore_patterns("artifacts"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return open_stores(tmp_path)


@pytest.fixture
def study(shop):
    return load_study(shop, STUDY)
