import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from search.cli import main
from search.study.make_plan import make_plan
from search.study.request import HpoRequest
from search.study.study import open_or_create_study
from search.tracking.stores import SQLITE, open_storage, open_tracking, resolve_stores
from search.trial.runner import TrialRunner
from tests.copied_record import copy_record
from tests.forking_commands import Popen

PROGRAMS = ("chromium", "chromedriver")
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1600,1200",
)
UI_SECONDS = 1500
REQUEST = HpoRequest(budget="5K", max_epochs=1, patience=1, tier="r25")


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
    plan, dataset = make_plan(REQUEST, root=root)
    return plan, dataset, root


@pytest.fixture
def stores(home):
    return resolve_stores()


@pytest.fixture
def project():
    return Path(__file__).parents[2]


@pytest.fixture
def launch(home, project):
    """Start a command in a directory of its own; whatever is left of it is killed afterwards.

    It is forked, unless its ``interpreter`` is to start too.  A suite that runs in the background ignores Ctrl-C, and
    the interpreters that it starts would too.
    """
    started = []

    def start(*arguments, program=("-m", "search"), interpreter=False):
        own = interpreter or (program[0] == "-m" and program[1] != "search")
        process = (subprocess.Popen if own else Popen)(
            [sys.executable, *program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(project), "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
            preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if own else None,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.fixture
def forked_workers(monkeypatch):
    """Workers that a command starts in this process are forked, see :mod:`tests.forking_commands`."""
    monkeypatch.setattr("search.workers.pool.subprocess.Popen", Popen)


@pytest.fixture
def cloned(home, project, monkeypatch):
    """The project as a fresh clone has it, in the working directory."""
    for name in ("pipeline", "model", "search"):
        shutil.copytree(project / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("MLproject", "conda.yaml", "pyproject.toml"):
        shutil.copy(project / name, home)
    shutil.rmtree(home / "mlruns")
    (home / "mlruns").mkdir()
    (home / "mlflow.db").symlink_to("mlruns/mlflow.db")
    monkeypatch.setenv("PATH", f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    return home


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


@pytest.fixture(scope="session")
def record_after(tmp_path_factory, template, planned):
    """``record_after(2)``: record directory of the tiny plan's study after two trials, trained once a session."""
    plan, dataset, root = planned

    @cache
    def trained(count):
        directory = tmp_path_factory.mktemp("trained") / "mlruns"
        copy_record(trained(count - 1) if count else template, directory)
        stores = resolve_stores(*(f"sqlite:///{directory / name}.db" for name in ("mlflow", "optuna")))
        study = open_or_create_study(stores, plan, trials=max(count, 1), data_root=root)
        if count:
            TrialRunner(study, dataset, device="cpu", report=lambda event: None, should_stop=lambda: False).run_next()
        return directory

    return trained


@pytest.fixture
def make_trained(home, record_after, make_study):
    """A study of so many trials, of which some have finished; the first thing that a test does with its stores."""

    def make(trials, finished):
        shutil.rmtree(home / "mlruns")
        copy_record(record_after(finished), home / "mlruns")
        return make_study(trials)

    return make


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


@pytest.fixture
def browser(tmp_path, monkeypatch):
    """Headless Chromium with a fresh profile; its absence is a failure where the project is checked."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        reason = f"{', '.join(missing)} not found; apt-get install chromium chromium-driver"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    monkeypatch.setenv("SE_OFFLINE", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def ui(home, project):
    """Address of the real ``patchscale ui``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "search", "ui", "--port", str(port)],
        env={**os.environ, "PYTHONPATH": str(project)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    yield lambda: _await_ui(server, address)
    os.killpg(server.pid, 15)
    server.wait()


def _await_ui(server, address):
    deadline = time.monotonic() + UI_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return address
        except OSError:
            assert server.poll() is None, "the UI ended"
            time.sleep(0.5)
    pytest.fail("the UI did not answer")
