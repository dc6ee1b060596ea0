"""PostgreSQL for tests: a cluster of its own on loopback, with a database of its own for whoever asks."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg
import pytest

from tests.servers.supervised import Supervised

ADMIN, USER, GUARDED = "postgres", "patchscale", "guarded"
"""Roles: of the cluster, of whoever works, and one that needs a password."""
UNPRIVILEGED = ("postgres", "nobody")
ACCESS = f"""local all all trust
host all {GUARDED} 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
SETTINGS = ("fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=64MB")
POLL_SECONDS = 0.05


class Postgres(Supervised):
    """A cluster in a directory of its own, run by a user without rights where this process is root's."""

    end_by = signal.SIGINT

    def __init__(self) -> None:
        super().__init__(Path(mkdtemp(prefix="pg-")))
        if os.getuid() == 0:
            known = {each.pw_name for each in pwd.getpwall()}
            self.user = next(name for name in UNPRIVILEGED if name in known)
            shutil.chown(self.directory, self.user)
        own: dict[str, Any] = {"user": self.user, "group": self._group(), "extra_groups": []} if self.user else {}
        made = [
            str(binaries() / "initdb"),
            "-D",
            str(self.directory / "data"),
            "-U",
            ADMIN,
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        command = [*made, "--locale=C", "--no-sync", "--no-instructions"]
        subprocess.run(command, cwd=self.directory, check=True, capture_output=True, **own)
        (self.directory / "data" / "pg_hba.conf").write_text(ACCESS, encoding="utf-8")
        self._count = 0

    def command(self) -> list[str]:
        """Say what is run."""
        places = [
            "-D",
            str(self.directory / "data"),
            "-k",
            str(self.directory),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        return [str(binaries() / "postgres"), *places, *(f"--{setting}" for setting in SETTINGS)]

    def wait_until_ready(self) -> None:
        """Return when it answers."""
        while True:
            self.require_alive()
            try:
                psycopg.connect(self._address(ADMIN)).close()
            except psycopg.OperationalError:
                time.sleep(POLL_SECONDS)
            else:
                return

    def url(self, database: str, *, user: str = USER, password: str = "") -> str:
        """Address of a database; the password as it stands in it."""
        return f"postgresql://{user}{password and ':'}{password}@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template0", owner: str = USER, tablespace: str = "pg_default") -> str:
        """Make a database as another one is, and say its name."""
        self._count += 1
        name = f"made_{self._count}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {owner} TABLESPACE {tablespace}")
        return name

    def ask(self, query: str, values: Sequence[Any] = (), database: str = ADMIN) -> list[tuple[Any, ...]]:
        """Ask a database as its administrator."""
        with psycopg.connect(self._address(database), autocommit=True) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def terminate(self, database: str) -> int:
        """End the connections of a database, as an administrator may: how many."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        return len(self.ask(query, [database]))

    def dump(self, database: str) -> str:
        """Everything that a database holds, as text."""
        command = [str(binaries() / "pg_dump"), self._address(database)]
        return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout

    def _address(self, database: str) -> str:
        return f"postgresql://{ADMIN}@127.0.0.1:{self.port}/{database}"

    def _group(self) -> int:
        return pwd.getpwnam(str(self.user)).pw_gid


def binaries() -> Path:
    """Directory of PostgreSQL's programs; their absence is a failure where the project is checked."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    path = str(found[-1]) if found else shutil.which("initdb")
    if path is None:
        reason = "PostgreSQL not found; apt-get install postgresql"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return Path(str(path)).resolve().parent
