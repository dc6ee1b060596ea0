"""The golden store, unpacked: what the code of 2026-11-25 left behind."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.forking_commands import run as run_forked

STORE = Path(__file__).with_name("store-2026-11-25.tar.xz")
PROJECT = Path(__file__).resolve().parents[2]


def unpack(directory):
    """Unpack the store, and let its records name the directory where it lies now."""
    with tarfile.open(STORE) as archive:
        archive.extractall(directory, filter="data")
    made_in = json.loads((directory / "root.json").read_text(encoding="utf-8"))["root"]
    for name in ("mlflow.db", "optuna.db"):
        with sqlite3.connect(directory / "mlruns" / name) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
                for column in columns:
                    database.execute(
                        f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) WHERE "{column}" LIKE ?',
                        (made_in, str(directory), f"%{made_in}%"),
                    )
        database.close()
    return directory


@pytest.fixture(scope="session")
def golden_store(tmp_path_factory):
    """Unpack the store into a directory of its own."""
    return lambda: unpack(tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="session")
def patchscale():
    """Run a command of a code tree in a directory: what it printed, its exit code proved.

    It is forked, unless its ``interpreter`` is to start too.
    """

    def run(directory, *arguments, code=0, project=PROJECT, interpreter=False):
        environment = {**os.environ, "PYTHONPATH": str(project), "COLUMNS": "200"}
        done = (subprocess.run if interpreter else run_forked)(
            [sys.executable, "-m", "search", *arguments], cwd=directory, env=environment, capture_output=True, text=True
        )
        assert done.returncode == code, f"{' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="session")
def later_code(tmp_path_factory):
    """Make a tree of this code in which files are changed, as a later version would have them; or this code."""

    def make(changes):
        if not changes:
            return PROJECT
        root = tmp_path_factory.mktemp("later")
        for name in ("pipeline", "model", "search"):
            shutil.copytree(PROJECT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        for path, old, new in changes:
            text = (root / path).read_text(encoding="utf-8")
            assert text.count(old) == 1, f"{path} must hold once: {old}"
            (root / path).write_text(text.replace(old, new), encoding="utf-8")
        return root

    return make
