"""Files to trials: each is read by the parser of its kind, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.exceptions import InputError
from search.legacy.parse.csv import parse_csv
from search.legacy.parse.json import parse_json_trials
from search.legacy.parse.kinds import MLFLOW, OPTUNA, RAY, TABLE, find_kind, open_foreign
from search.legacy.parse.log import parse_log
from search.legacy.parse.mlflow_files import parse_mlflow
from search.legacy.parse.optuna_storage import parse_optuna
from search.legacy.parse.ray_results import parse_ray
from search.legacy.parse.source import SourceFile, read_source
from search.legacy.parse.table import parse_table
from search.legacy.recover.column_map import ColumnMap
from search.legacy.recover.report import FileReport
from search.legacy.recover.trial import LegacyTrial

Parser = Callable[[SourceFile, FileReport], Sequence[LegacyTrial]]
ForeignParser = Callable[[SourceFile, FileReport, ColumnMap, str], Sequence[LegacyTrial]]
PARSERS: dict[str, Parser] = {"csv": parse_csv, "json": parse_json_trials, "log": parse_log}
FOREIGN_PARSERS: dict[str, ForeignParser] = {
    OPTUNA: parse_optuna,
    TABLE: parse_table,
    RAY: parse_ray,
    MLFLOW: parse_mlflow,
}
UNREAD = (OPTUNA, RAY, MLFLOW)


def parse_files(
    paths: Sequence[Path], kind: str | None = None, columns: ColumnMap | None = None, objective: str = ""
) -> list[tuple[SourceFile, FileReport]]:
    """Read and parse every file, writing nothing.

    Parameters
    ----------
    paths : sequence of Path
        Files, or folders of MLflow's old file store and of Ray Tune.
    kind : str, optional
        Of every one; else its name and its beginning say it.
    columns : ColumnMap, optional
        Where fields of ours stand in another tool's records.
    objective : str
        ``minimize`` or ``maximize``, where the source does not say it; empty is unknown.

    Raises
    ------
    InputError, StoreError
        If one of them can't be parsed wholly.
    """
    parsed = []
    for path in paths:
        found, place = find_kind(path, kind, mapped=columns is not None and bool(columns.theirs))
        source = open_foreign(place, found) if found in UNREAD else read_source(path, found)
        report = FileReport(name=source.name, kind=source.kind)
        try:
            report.trials = _trials(source, report, columns or ColumnMap(), objective)
        except RecursionError:
            raise InputError(f"a source must not nest deeply, got too many levels in {source.name}") from None
        parsed.append((source, report))
    return parsed


def _trials(source: SourceFile, report: FileReport, columns: ColumnMap, objective: str) -> Sequence[LegacyTrial]:
    if source.kind in FOREIGN_PARSERS:
        return FOREIGN_PARSERS[source.kind](source, report, columns, objective)
    if objective or columns.theirs:
        report.notes.append(f"--map and --objective say nothing of a {source.kind} of the earlier study")
    return PARSERS[source.kind](source, report)
