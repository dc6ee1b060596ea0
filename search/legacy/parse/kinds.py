"""Which kind of source a file or folder is: by its name, and by how it begins."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path

from pipeline.exceptions import InputError, StoreError
from search.legacy.parse.mlflow_files import is_file_store, store_digest
from search.legacy.parse.optuna_storage import is_journal, is_sqlite
from search.legacy.parse.ray_results import PARTS, folder_digest, is_ray_folder
from search.legacy.parse.source import SourceFile, kind_by_suffix
from search.legacy.parse.stream import head
from search.legacy.parse.table import delimiter_of, is_json_lines
from search.legacy.parse.table_columns import is_placed
from search.legacy.recover.fields import printable
from search.legacy.recover.foreign import KNOWN_SETTINGS

OPTUNA, TABLE, RAY, MLFLOW = "optuna", "table", "ray", "mlflow"
LINES = (".jsonl", ".ndjson")
LEGACY_COLUMNS = {"experiment", "hyperparameters", "run_type", "phase"}
FOREIGN_COLUMNS = {"State", "state", "training_iteration", "number", "trial_id", "_step", "value"}
NESTED = re.compile(r'"(?:config|summary)"\s*:\s*\{')
RAY_FIELDS = {"training_iteration", "trial_id"}


def find_kind(path: Path, given: str | None = None, *, mapped: bool) -> tuple[str | None, Path]:
    """Find the kind of a source, and where it lies: of a file of Ray Tune, its trial's folder.

    Parameters
    ----------
    path : Path
        File or folder.
    given : str, optional
        Kind that the user says.
    mapped : bool
        Whether the user maps columns: no earlier study's file needs that.

    Returns
    -------
    str or None
        None leaves it to the suffix.
    Path
        What to read.

    Raises
    ------
    InputError
        If it is a folder of no known kind.
    """
    try:
        if given is not None:
            return given, path
        if path.is_dir():
            return _folder(path), path
        if path.name in PARTS and sum((path.parent / part).is_file() for part in PARTS) > 1:
            return RAY, path.parent
        if is_sqlite(path) or is_journal(path):
            return OPTUNA, path
    except InputError:
        raise
    except (OSError, ValueError):
        return None, path
    if any(suffix in LINES for suffix in path.suffixes):
        return TABLE, path
    kind = kind_by_suffix(path)
    is_foreign = (kind == "csv" and _is_table(head(path), mapped)) or (kind == "json" and _is_rows(head(path), mapped))
    return TABLE if is_foreign else None, path


def open_foreign(path: Path, kind: str) -> SourceFile:
    """Name a storage or folder by what it holds; its parser reads it.

    Raises
    ------
    StoreError
        If it can't be read.
    """
    try:
        digest = folder_digest(path) if kind == RAY else store_digest(path) if kind == MLFLOW else _file_digest(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StoreError(
            f"a source must be readable, got {printable(str(path))} ({reason}); check path and rights"
        ) from error
    return SourceFile(name=printable(path.absolute().name), kind=kind, digest=digest, path=path)


def _file_digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _folder(path: Path) -> str | None:
    if is_file_store(path):
        return MLFLOW
    if is_ray_folder(path):
        return RAY
    raise InputError(
        f"a folder must be a file store of MLflow or results of Ray Tune, got {printable(str(path))}; name the files "
        "themselves"
    )


def _is_table(text: str, mapped: bool) -> bool:
    """Whether a header has a column that another tool's table has, and none that only an earlier study's has."""
    first = text.splitlines()[0] if text else ""
    header = {name.strip() for name in next(csv.reader([first], delimiter=delimiter_of(first)), [])}
    if LEGACY_COLUMNS & header:
        return False
    return mapped or any(name in FOREIGN_COLUMNS or name in KNOWN_SETTINGS or is_placed(name) for name in header)


def _is_rows(text: str, mapped: bool) -> bool:
    """Whether a text is another tool's rows: an object a line, or a list of objects with config or summary."""
    if is_json_lines(text) or mapped:
        return True
    if text.lstrip().startswith("["):
        return NESTED.search(text) is not None and '"params"' not in text
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and bool(RAY_FIELDS & set(document))
