"""The servers themselves: databases of one's own, restarts, and nothing left of them when who started them is gone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.servers.machine import PROJECT

KILLED = """
import sys
from tests.servers.postgres import Postgres
server = Postgres()
server.start()
print(server.pid, server.directory, flush=True)
sys.stdin.read()
"""


def is_gone(pid, directory):
    deadline = time.monotonic() + 1500
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}").exists() and not Path(directory).exists():
            return True
        time.sleep(0.1)
    return False


def test_every_test_has_a_storage_of_its_own(postgres, storage_url):
    other = postgres.url(postgres.create("optuna"))
    with psycopg.connect(storage_url) as here, psycopg.connect(other) as there:
        here.execute("INSERT INTO studies (study_name) VALUES ('a')")
        here.commit()
        assert there.execute("SELECT count(*) FROM studies").fetchone() == (0,)


def test_a_cluster_keeps_what_it_holds_over_a_restart_and_over_a_kill(postgres):
    name = postgres.create()
    postgres.ask("CREATE TABLE kept (what text)", database=name)
    for by in (None, signal.SIGKILL):
        postgres.ask("INSERT INTO kept VALUES ('x')", database=name)
        before = postgres.pid
        postgres.restart(by)
        assert postgres.pid != before
    assert postgres.ask("SELECT count(*) FROM kept", database=name) == [(2,)]


def test_a_server_ends_with_who_started_it_though_that_is_killed():
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    pid, directory = process.stdout.readline().split()
    assert Path(directory).is_dir() and Path(f"/proc/{pid}").exists()
    process.kill()
    process.communicate()
    assert is_gone(pid, directory)


@pytest.mark.parametrize("interpreter", [False, True])
def test_machines_have_names_and_directories_of_their_own_and_share_the_servers(machine, interpreter):
    first, second = machine("first"), machine("second")
    said = first.run("verify", code=None, interpreter=interpreter), second.run("status", interpreter=interpreter)
    assert f"tracking store: {first.environment['MLFLOW_TRACKING_URI']} whole" in said[0]
    assert list(second.directory.iterdir()) == []
    script = "import socket; print(socket.gethostname())"
    process = second.start_program([sys.executable, "-c", script])
    assert process.communicate()[0].split() == ["second"]
