"""Whose a database is: MLflow's, Optuna's, or something that is not ours to touch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.exceptions import StoreError

TABLE_OF_REVISIONS = "alembic_version"
MARK = b"SQLite format 3\0"
HALF_CHANGED = "_alembic_tmp_"
"""Before the name of a table that a migration is about to put in its place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A library that keeps its tables in a database.

    Parameters
    ----------
    name, option : str
        Its own, and of the option that names its store.
    core : frozenset of str
        Tables without which there is no record of its.
    revisions : str
        Pattern of its schema's revisions.
    made : mapping
        Which rows of a table somebody made, where its first use makes some as well.
    """

    name: str
    option: str
    core: frozenset[str]
    revisions: str
    made: Mapping[str, str]

    def owns_revision(self, found: str | None) -> bool:
        """Whether a schema's revision is one of this library's: both write theirs into tables of one name."""
        return re.fullmatch(self.revisions, found or "") is not None


MLFLOW = Tool(
    name="MLflow",
    option="tracking_uri",
    core=frozenset({"experiments", "runs"}),
    revisions=r"(?!v\d).+",
    made={TABLE_OF_REVISIONS: "false", "experiments": "experiment_id != 0", "workspaces": "name != 'default'"},
)
OPTUNA = Tool(
    name="Optuna",
    option="storage",
    core=frozenset({"studies", "trials", "version_info"}),
    revisions=r"v\d.*",
    made={TABLE_OF_REVISIONS: "false", "version_info": "false"},
)
TOOLS = {tool.option: tool for tool in (MLFLOW, OPTUNA)}


def require_database(option: str, database: Path) -> None:
    """Refuse a path at which something lies that is no SQLite database; an empty file may become one.

    Raises
    ------
    StoreError
        Naming what it is.
    """
    kind = ""
    if database.exists() and not database.is_file():
        kind = "a directory" if database.is_dir() else "no file"
    elif database.exists():
        with database.open("rb") as file:
            kind = "another kind of file" if file.read(len(MARK)) not in (b"", MARK) else ""
    if kind:
        raise StoreError(f"{option} must be an SQLite database, or none yet, got {database}, {kind}; name another one")
