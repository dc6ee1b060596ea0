import shutil
from pathlib import Path

import pytest

from search.plan import make_plan
from search.stores import open_storage, open_tracking, resolve_stores

REQUEST = {
    "budget": "5K",
    "horizon": 1,
    "threshold": 0.01,
    "source": "sample",
    "ticker": "",
    "train_tickers": "",
    "tier": "r25",
    "split": "auto",
    "seed": 0,
    "max_epochs": 1,
    "patience": 1,
    "offset": "none",
    "study": "",
}


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """Empty stores, made once: their first creation takes seconds."""
    directory = tmp_path_factory.mktemp("template")
    (directory / "mlruns").mkdir()
    uris = [f"sqlite:///{directory}/mlruns/{name}.db" for name in ("mlflow", "optuna")]
    stores = resolve_stores(*uris)
    open_tracking(stores)
    open_storage(stores)
    return directory / "mlruns"


@pytest.fixture
def home(tmp_path, monkeypatch, template):
    """A working directory with empty stores of its own."""
    shutil.copytree(template, tmp_path / "mlruns")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def planned(tmp_path_factory):
    """A tiny plan, its dataset version and the data directory that holds it."""
    root = tmp_path_factory.mktemp("data")
    plan, dataset = make_plan(**REQUEST, root=root)
    return plan, dataset, root


@pytest.fixture
def stores(home):
    return resolve_stores()


@pytest.fixture
def project():
    return Path(__file__).parents[2]
