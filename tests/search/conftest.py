import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from search.cli import main
from search.plan import make_plan
from search.stores import SQLITE, open_storage, open_tracking, resolve_stores
from search.study import open_or_create_study
from search.trial import TrialRunner

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


@pytest.fixture
def run_trials(planned):
    """Run a study's next trials here, and return it."""

    def run(study, count):
        runner = TrialRunner(study, planned[1], device="cpu", report=lambda event: None, should_stop=lambda: False)
        for _ in range(count):
            runner.run_next()
        return study

    return run


@pytest.fixture
def make_study(stores, planned):
    """Open or make a study of the tiny plan."""
    plan, _, root = planned
    return lambda trials, **changed: open_or_create_study(
        stores, replace(plan, **changed), trials=trials, data_root=root
    )


@pytest.fixture
def command(capsys):
    """Run a command here: its exit code, output and error output."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        return ended.value.code, *capsys.readouterr()

    return run


@pytest.fixture
def alter(stores):
    """Change a run's param behind MLflow's back, as a broken record would have it."""

    def change(run_id, name, value):
        with sqlite3.connect(stores.tracking_uri.removeprefix(SQLITE)) as connection:
            connection.execute("UPDATE params SET value = ? WHERE key = ? AND run_uuid = ?", (value, name, run_id))
        connection.close()

    return change
