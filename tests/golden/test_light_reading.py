"""What only reads loads nothing that computes: a command's own time is the time of MLflow's client and Optuna."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SNAPSHOT, DATASET, MODEL = "fe42bdf1", "5cb91f5b", "patchscale-ACME-h1"
COMPUTING = ("torch", "sklearn", "scipy", "matplotlib", "arch", "pandera", "talib", "exchange_calendars")
SLOW = (*COMPUTING, "numpy", "pandas", "pyarrow", "mlflow", "optuna", "sqlalchemy", "rich")
ANSWERED_AT_ONCE = {"--help": 0, "hpo --help": 0, "hpo --bugdet 2M": 2, "stauts": 2}
READING_DATA = {
    "data list": 0,
    f"data show {SNAPSHOT}": 0,
    f"data show {DATASET}": 0,
    f"data diff {DATASET} {DATASET}": 0,
    "grid 2M": 0,
}
READING_STORES = {
    "status": 0,
    "status --json": 0,
    "audit complete": 1,
    "audit interrupted --json": 1,
    "gc complete --dry-run": 0,
    "verify": 1,
    f"rollback {MODEL}": 2,
    "reconcile complete": 0,
    "reconcile interrupted": 0,
}
NEEDED = {"grid 2M": {"talib"}}
"""A feature is a function of TA-Lib, and the grid depends on how many there are."""
SCRIPT = """
import contextlib, json, sys
before, found = set(sys.modules), {}
from search.cli import main
for command in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(sys.stderr):
        if command == "mlflow":
            import mlflow
            code = 0
        else:
            try:
                main(command.split())
            except SystemExit as end:
                code = end.code
    found[command] = code, sorted(set(sys.modules) - before)
    before = set(sys.modules)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def store(golden_store):
    """The golden store, unpacked."""
    return golden_store()


@pytest.fixture(scope="module")
def loaded(store):
    """Exit code of every command, one after the other in one process, and the modules that each was first to load."""
    commands = [*ANSWERED_AT_ONCE, *READING_DATA, "mlflow", *READING_STORES]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(commands)], cwd=store, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def packages(modules, among):
    return {name.partition(".")[0] for name in modules} & set(among)


@pytest.mark.slow
@pytest.mark.parametrize(("command", "code"), ANSWERED_AT_ONCE.items())
def test_help_and_the_answer_to_a_mistyped_word_load_nothing_slow(loaded, command, code):
    ended, modules = loaded[command]
    assert (ended, packages(modules, SLOW)) == (code, set())


@pytest.mark.parametrize(("command", "code"), READING_DATA.items())
def test_reading_data_loads_neither_what_computes_nor_a_store(loaded, command, code):
    ended, modules = loaded[command]
    assert (ended, packages(modules, (*COMPUTING, "mlflow", "optuna"))) == (code, NEEDED.get(command, set()))


@pytest.mark.parametrize(("command", "code"), READING_STORES.items())
def test_reading_the_stores_loads_nothing_that_computes_beyond_what_mlflow_brings(loaded, command, code):
    ended, modules = loaded[command]
    assert (ended, packages(modules, COMPUTING)) == (code, set())


def test_mlflow_itself_brings_no_more_than_sparse_matrices(loaded):
    _, modules = loaded["mlflow"]
    assert packages(modules, COMPUTING) <= {"scipy"}
    assert not {"scipy.optimize", "scipy.stats", "scipy.special"} & set(modules)
