"""Results of Ray Tune: a folder a trial, with its settings, a row an iteration, and perhaps an error."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.exceptions import InputError
from search.legacy.parse.source import SourceFile, read_source
from search.legacy.parse.spilled import Spilled
from search.legacy.parse.strict_json import parse_json
from search.legacy.parse.table import names_of, read_rows, read_trials
from search.legacy.parse.table_columns import Row, flatten
from search.legacy.recover.column_map import ColumnMap
from search.legacy.recover.foreign import ForeignTrial, build_foreign
from search.legacy.recover.report import FileReport
from search.legacy.recover.trial import LegacyTrial

RESULT, PROGRESS, PARAMS, ERROR = "result.json", "progress.csv", "params.json", "error.txt"
PARTS = (RESULT, PROGRESS, PARAMS)
DEPTH = 3


def parse_ray(source: SourceFile, report: FileReport, columns: ColumnMap, objective: str = "") -> Sequence[LegacyTrial]:
    """Read every trial below a folder; where a trial has its rows twice, result.json says more than progress.csv.

    Raises
    ------
    InputError
        If a file is damaged.
    """
    found: Spilled[ForeignTrial] = Spilled()
    names: set[str] = set()
    for folder in ray_folders(source.path):
        rows, rows_source = _folder_rows(folder)
        names.update(names_of(rows))
        for trial in _folder_trials(folder, rows, rows_source, source, report, columns, objective):
            found.append(trial)
    columns.require_found(names, source.name)
    return Spilled(build_foreign(trial, columns) for trial in found)


def is_ray_folder(path: Path) -> bool:
    """Whether a folder is a trial's, or holds folders of trials."""
    return next(ray_folders(path), None) is not None


def ray_folders(path: Path) -> Iterator[Path]:
    """Folders of trials, by name; one that holds a single such file is a folder of anything."""
    if sum((path / part).is_file() for part in PARTS) > 1:
        yield path
        return
    for depth in range(1, DEPTH + 1):
        found = sorted({file.parent for part in PARTS for file in path.glob(f"{'*/' * depth}{part}")})
        yield from found
        if found:
            return


def folder_digest(path: Path) -> str:
    """SHA-256 over the names and sizes of what is read."""
    sha = hashlib.sha256()
    for folder in ray_folders(path):
        for part in PARTS:
            if (folder / part).is_file():
                sha.update(f"{folder.name}/{part} {(folder / part).stat().st_size}\n".encode())
    return sha.hexdigest()


def _folder_rows(folder: Path) -> tuple[Sequence[Row], SourceFile | None]:
    """Rows of a trial, each with its settings; those alone are a row of a trial that has none."""
    said = {f"config.{name}": value for name, value in _settings(folder / PARAMS).items()}
    rows_file = next((folder / part for part in (RESULT, PROGRESS) if (folder / part).is_file()), None)
    if rows_file is None:
        return [Row(folder.name, said)], None
    source = read_source(rows_file, "table")
    rows = Spilled(Row(row.where, {**said, **row.values}) for row in read_rows(source))
    return (rows, source) if rows else ([Row(folder.name, said)], None)


def _folder_trials(
    folder: Path,
    rows: Sequence[Row],
    rows_source: SourceFile | None,
    source: SourceFile,
    report: FileReport,
    columns: ColumnMap,
    objective: str,
) -> list[ForeignTrial]:
    has_settings = (folder / PARAMS).is_file()
    study = folder.absolute().parent.name if folder != source.path or has_settings else None
    if rows_source is None:
        params = {name.removeprefix("config."): value for name, value in rows[0].values.items()}
        trial = ForeignTrial(
            form="ray", where=folder.name, study=study, name=folder.name, state="PENDING", params=params
        )
        return [trial]
    report.lines += len(rows)
    trials = read_trials(rows, rows_source, report, columns, objective)
    failed = (folder / ERROR).is_file()
    return [
        replace(
            trial,
            where=f"{folder.name}, {trial.where}",
            study=study or trial.study,
            state="ERROR" if failed else trial.state,
            attributes={**trial.attributes, **({"error": _error(folder / ERROR)} if failed else {})},
        )
        for trial in trials
    ]


def _settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    source = read_source(path, "json")
    found = parse_json(source.text, source.name)
    if not isinstance(found, dict):
        raise InputError(f"settings must be a JSON object, got {type(found).__name__} in {source.name}")
    return flatten(found)


def _error(path: Path) -> str:
    lines = path.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "an error without words"
