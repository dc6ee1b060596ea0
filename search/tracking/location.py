"""Where an embedded store's artifacts lie: beside its database, wherever that was moved or copied to.

MLflow records absolute paths.  A store that lies elsewhere now has its records follow it, so that MLflow's own
UI finds the files too, and nothing is ever written to where it was before.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.file_lock import file_lock
from search.tracking.database import is_writable, lock_of, rows

ARTIFACTS = "artifacts"
PATHS = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
"""Columns in which MLflow records where artifacts lie."""
DEPTHS = (4, 5)
"""Parts of a location: of a run ``artifacts/EXPERIMENT/RUN/artifacts``, of a model with ``models`` before its id."""
OWN_RUN = (
    "SELECT 1 FROM runs JOIN tags USING (run_uuid) WHERE tags.key = 'run.role' AND runs.experiment_id = {} LIMIT 1"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """A directory that a store's records name, and that is not the one where its database lies."""

    path: Path

    @property
    def was_moved(self) -> bool:
        """Whether the database is there no more: this store is it, and no copy of it."""
        return not any(self.path.glob("*.db"))


def follow_database(database: Path) -> None:
    """Let the records of a store name the artifacts beside its database.

    Files that were left behind are copied from where the records name them.  A store that can't be written stays
    as it is; :func:`beside` finds its files all the same.  What was done stands in ``logs/moves.log``.
    """
    if not foreign_homes(database) or not is_writable(database):
        return
    with file_lock(lock_of(database)):
        done = [_follow(database, home) for home in foreign_homes(database)]
        log = database.parent / "logs" / "moves.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("a", encoding="utf-8") as lines:
            lines.writelines(f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}\n" for line in done)


def foreign_homes(database: Path) -> list[Home]:
    """Directories other than the database's own that the experiments of this project name as theirs."""
    homes = {}
    for number, name, location in rows(database, "SELECT experiment_id, name, artifact_location FROM experiments"):
        folder = local_path(location)
        if folder is None or folder.parent.name != ARTIFACTS or folder.parent.parent == database.parent:
            continue
        if folder.name == artifact_folder(name) or rows(database, OWN_RUN.format(int(number))):
            homes[folder.parent.parent] = Home(path=folder.parent.parent)
    return list(homes.values())


def artifact_folder(experiment: str) -> str:
    """Name of an experiment's folder among the artifacts.

    Examples
    --------
    >>> artifact_folder("patchscale-^GSPC-h1")
    'patchscale-_GSPC-h1'
    """
    return re.sub(r"[^A-Za-z0-9.-]", "_", experiment)


def local_path(location: str | None) -> Path | None:
    """Path of a location of this machine, written as such or as ``file:`` URI; None for any other.

    Examples
    --------
    >>> local_path("file:///a%20b/artifacts"), local_path("/a/b"), local_path("s3://bucket/a")
    (PosixPath('/a b/artifacts'), PosixPath('/a/b'), None)
    """
    parts = urlsplit(location or "")
    if parts.scheme not in ("", "file") or not parts.path.startswith("/"):
        return None
    return Path(unquote(parts.path) if parts.scheme else str(location))


def beside(home: Path, location: str | None) -> Path | None:
    """Where a run's or a model's artifacts lie, for a store whose records may name another place.

    Parameters
    ----------
    home : Path
        Directory of the store's database.
    location : str
        As recorded.

    Returns
    -------
    Path or None
        None for a location that is not of this machine.
    """
    path = local_path(location)
    if path is None or path.is_relative_to(home):
        return path
    own = next((n for n in DEPTHS if path.parts[-n : 1 - n] == (ARTIFACTS,)), None)
    here = path if own is None else home.joinpath(*path.parts[-own:])
    return here if here.exists() or not path.exists() else path


def _follow(database: Path, home: Home) -> str:
    here = database.parent
    copied = sum(_bring(left, here / left.relative_to(home.path)) for left in _left_behind(database, home))
    data = (f'"{home.path.parent}/data/', f'"{here.parent}/data/')
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        for table, columns in PATHS.items():
            for column in columns:
                for old, new in ((home.path.as_uri(), here.as_uri()), (str(home.path), str(here))):
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                        (f"{new}/", len(old) + 2, len(old) + 1, f"{old}/"),
                    )
        connection.execute("UPDATE datasets SET dataset_source = replace(dataset_source, ?, ?)", data)
    return f"the record was made in {home.path} and lies in {here} now: its artifacts are those beside it" + (
        f", {copied} files were copied from there" if copied else ""
    )


def _left_behind(database: Path, home: Home) -> Iterator[Path]:
    """Files that the records name in the other directory, and that are not here.

    Where the other directory still has its own database, what it has added to a run since is its own.
    """
    queries = ("SELECT artifact_uri FROM runs", "SELECT artifact_location FROM logged_models")
    for location in (location for query in queries for (location,) in rows(database, query)):
        there = local_path(location)
        if there is None or not there.is_relative_to(home.path) or not there.is_dir():
            continue
        here = database.parent / there.relative_to(home.path)
        if home.was_moved or not here.exists():
            files = (each for each in there.rglob("*") if each.is_file())
            yield from [each for each in files if not (here / each.relative_to(there)).exists()]


def _bring(there: Path, here: Path) -> bool:
    here.parent.mkdir(parents=True, exist_ok=True)
    part = here.with_name(f".{here.name}.{os.getpid()}.part")
    try:
        shutil.copy2(there, part)
        os.replace(part, here)
    finally:
        part.unlink(missing_ok=True)
    return True
