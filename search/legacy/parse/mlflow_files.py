"""MLflow's old file store, read through MLflow's own reader over links: its folders are not written to."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.exceptions import InputError, describe_error
from search.legacy.parse.source import MAX_TRIALS, SourceFile
from search.legacy.parse.spilled import Spilled
from search.legacy.recover.column_map import ColumnMap
from search.legacy.recover.fields import printable
from search.legacy.recover.foreign import ForeignTrial, build_foreign
from search.legacy.recover.report import FileReport
from search.legacy.recover.trial import LegacyTrial
from search.tracking.reader import every_page

if TYPE_CHECKING:
    from mlflow.entities import Run

META = "meta.yaml"
FOLDERS = ("metrics", "params", "tags")
ALLOWED = "MLFLOW_ALLOW_FILE_STORE"


def parse_mlflow(
    source: SourceFile, report: FileReport, columns: ColumnMap, objective: str = ""
) -> Sequence[LegacyTrial]:
    """Read every run of every experiment that was not deleted.

    Raises
    ------
    InputError
        If MLflow can't read it.
    """
    try:
        with _file_store(source.path) as store:
            found = Spilled(_trial(store, run, name, report, objective) for name, run in _runs(store))
    except (InputError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise InputError(
            f"a file store must be one that MLflow can read, got {describe_error(error)} in "
            f"{printable(str(source.path))}; take a whole copy of it"
        ) from error
    if len(found) > MAX_TRIALS:
        raise InputError(f"a file store must have at most {MAX_TRIALS:,} runs, got more in {source.name}")
    columns.require_found(
        {name for t in found for part in (t.params, t.metrics, t.attributes) for name in part}, source.name
    )
    report.lines = len(found)
    return Spilled(build_foreign(trial, columns) for trial in found)


def is_file_store(path: Path) -> bool:
    """Whether a folder is a file store, or an experiment of one."""
    return (path / META).is_file() or any(path.glob(f"*/{META}"))


def store_digest(path: Path) -> str:
    """SHA-256 over the names of what is read."""
    sha = hashlib.sha256()
    for name in sorted(str(meta.relative_to(path)) for meta in (*path.glob(f"*/{META}"), *path.glob(f"*/*/{META}"))):
        sha.update(f"{name}\n".encode())
    return sha.hexdigest()


@contextmanager
def _file_store(path: Path) -> Iterator[Any]:
    from mlflow.store.tracking.file_store import FileStore

    experiments = [path] if (path / META).is_file() else [meta.parent for meta in path.glob(f"*/{META}")]
    before = os.environ.get(ALLOWED)
    with TemporaryDirectory() as directory:
        for experiment in experiments:
            _link_experiment(experiment.absolute(), Path(directory))
        try:
            os.environ[ALLOWED] = "true"
            yield FileStore(directory)
        finally:
            os.environ.pop(ALLOWED)
            if before is not None:
                os.environ[ALLOWED] = before


def _link_experiment(experiment: Path, root: Path) -> None:
    """Link what is read of an experiment; a run must have folders that a copy of it may lack."""
    copy = root / experiment.name
    for meta in experiment.glob(f"*/{META}"):
        run = copy / meta.parent.name
        run.mkdir(parents=True)
        for part in (META, *FOLDERS):
            if (meta.parent / part).exists():
                (run / part).symlink_to(meta.parent / part)
            elif part in FOLDERS:
                (run / part).mkdir()
        (run / "artifacts").mkdir()
    copy.mkdir(exist_ok=True)
    for name in (META, "tags"):
        if (experiment / name).exists() and not (copy / name).exists():
            (copy / name).symlink_to(experiment / name)


def _runs(store: Any) -> Iterator[tuple[str, Run]]:
    from mlflow.entities import ViewType

    experiments = every_page(store.search_experiments, view_type=ViewType.ACTIVE_ONLY)
    for experiment in sorted(experiments, key=lambda each: each.name):
        asked = {"experiment_ids": [experiment.experiment_id], "filter_string": "", "order_by": ["start_time"]}
        for run in every_page(store.search_runs, **asked, run_view_type=ViewType.ACTIVE_ONLY):
            yield experiment.name, run


def _trial(store: Any, run: Run, experiment: str, report: FileReport, objective: str) -> ForeignTrial:
    own = {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")}
    report.homeless.update(name for name in run.data.tags if name.startswith("mlflow.") and name != "mlflow.runName")
    curves = {}
    for name in run.data.metrics:
        history = store.get_metric_history(run.info.run_id, name)
        if len(history) > 1:
            curves[name] = {point.step: point.value for point in history if math.isfinite(point.value)}
    return ForeignTrial(
        form="mlflow",
        where=f"run {run.info.run_id[:8]}",
        study=printable(experiment),
        origin=run.info.run_id,
        name=run.info.run_name or run.data.tags.get("mlflow.runName", run.info.run_id[:8]),
        state=run.info.status,
        params=run.data.params,
        attributes={**own, "run_id": run.info.run_id},
        metrics=run.data.metrics,
        curves=curves,
        directions=[objective] if objective else [],
        started=_moment(run.info.start_time),
        ended=_moment(run.info.end_time),
    )


def _moment(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
