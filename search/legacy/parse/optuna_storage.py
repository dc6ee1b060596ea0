"""Optuna's own storages, read through Optuna from a copy: the user's file is opened for reading only."""

from __future__ import annotations

import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.exceptions import InputError, describe_error
from search.legacy.parse.source import MAX_TRIALS, SourceFile
from search.legacy.parse.spilled import Spilled
from search.legacy.parse.stream import head, read_chunks
from search.legacy.recover.column_map import ColumnMap
from search.legacy.recover.fields import printable
from search.legacy.recover.foreign import MAXIMIZE, MINIMIZE, ForeignTrial, build_foreign
from search.legacy.recover.report import FileReport
from search.legacy.recover.trial import LegacyTrial

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

FORM = "optuna"
SQLITE_MARK = b"SQLite format 3\0"
JOURNAL_MARK = '{"op_code"'
TABLES = {"studies", "trials"}


def parse_optuna(
    source: SourceFile, report: FileReport, columns: ColumnMap, objective: str = ""
) -> Sequence[LegacyTrial]:
    """Read every study of a storage.

    Raises
    ------
    InputError
        If Optuna can't read it, or it holds no study.
    """
    with read_only_storage(source.path) as storage:
        import optuna

        summaries = optuna.get_all_study_summaries(storage)
        if not summaries:
            raise InputError(
                f"an Optuna storage must hold a study, got none in {source.name}; name the file of the study"
            )
        found = Spilled(
            trial
            for summary in sorted(summaries, key=lambda each: each.study_name)
            for trial in _study(optuna.load_study(study_name=summary.study_name, storage=storage), report, objective)
        )
    if len(found) > MAX_TRIALS:
        raise InputError(f"a storage must have at most {MAX_TRIALS:,} trials, got more in {source.name}")
    columns.require_found({name for t in found for part in (t.params, t.attributes) for name in part}, source.name)
    report.lines = len(found)
    return Spilled(build_foreign(trial, columns) for trial in found)


@contextmanager
def read_only_storage(path: Path) -> Iterator[Any]:
    """Open a copy of a storage, brought to the schema of this Optuna; the file itself is not written to.

    Raises
    ------
    InputError
        If it can't be read.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    with TemporaryDirectory() as directory, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        storage: Any = None
        try:
            storage = _open(path, Path(directory) / "copy")
            yield storage
        except (InputError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise InputError(
                f"an Optuna storage must be one that Optuna {optuna.__version__} can read, got {describe_error(error)} "
                f"in {printable(str(path))}; take a whole copy of it"
            ) from error
        finally:
            if hasattr(storage, "engine"):
                storage.remove_session()
                storage.engine.dispose()


def is_sqlite(path: Path) -> bool:
    """Whether a file is an SQLite database."""
    with path.open("rb") as handle:
        return handle.read(len(SQLITE_MARK)) == SQLITE_MARK


def is_journal(path: Path) -> bool:
    """Whether a file is a journal of Optuna, packed or not."""
    return head(path)[:64].replace(" ", "").startswith(JOURNAL_MARK)


def _open(path: Path, copy: Path) -> Any:
    import optuna

    if not is_sqlite(path):
        with copy.open("wb") as plain:
            plain.writelines(read_chunks(path))
        from optuna.storages.journal import JournalFileBackend

        return optuna.storages.JournalStorage(JournalFileBackend(str(copy)))
    _copy_database(path, copy)
    storage = optuna.storages.RDBStorage(f"sqlite:///{copy}", skip_compatibility_check=True)
    if storage.get_current_version() != storage.get_head_version():
        _upgrade(storage)
    return storage


def _upgrade(storage: Any) -> None:
    """Bring a copy to the schema of this Optuna, whose migrations set up logging where nobody has."""
    root, quiet = logging.getLogger(), logging.NullHandler()
    root.addHandler(quiet)
    try:
        storage.upgrade()
    finally:
        root.removeHandler(quiet)


def _copy_database(path: Path, copy: Path) -> None:
    """Copy a database as its last transaction left it, also while another process writes to it."""
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        try:
            address = f"file:{_quoted(path)}?{mode}"
            with closing(sqlite3.connect(address, uri=True)) as theirs, closing(sqlite3.connect(copy)) as ours:
                tables = {name for (name,) in theirs.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
                _require_optuna(tables, path)
                theirs.backup(ours)
            return
        except sqlite3.OperationalError:
            if mode.endswith("immutable=1") or os.path.exists(f"{path}-wal"):
                raise


def _require_optuna(tables: set[str], path: Path) -> None:
    if TABLES <= tables:
        return
    shown = printable(str(path))
    if {"experiments", "runs"} <= tables:
        raise InputError(
            f"import reads Optuna's databases, got MLflow's own {shown}; a store of MLflow needs no import, name it "
            "with --tracking-uri"
        )
    raise InputError(
        f"a database must be one of Optuna's, with the tables studies and trials, got {shown} with "
        f"{', '.join(sorted(tables)[:8]) or 'none'}; name Optuna's storage"
    )


def _quoted(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path.absolute()))


def _study(study: optuna.Study, report: FileReport, objective: str) -> Iterator[ForeignTrial]:
    from optuna.study import StudyDirection

    words = {StudyDirection.MINIMIZE: MINIMIZE, StudyDirection.MAXIMIZE: MAXIMIZE}
    directions = [words[each] for each in study.directions if each in words]
    if objective and directions and [objective] != directions:
        report.notes.append(
            f"study {printable(study.study_name)} says {' and '.join(directions)} of its objective: --objective "
            f"{objective} was not used"
        )
    directions = directions or [objective] * bool(objective)
    names = study.metric_names or []
    about = {f"legacy.attr.{name}": str(value) for name, value in study.user_attrs.items()}
    report.about[study.study_name] = {"legacy.direction": " ".join(directions), **about}
    trials = study.get_trials(deepcopy=False)
    origin = str(trials[0].datetime_start) if trials else ""
    for trial in trials:
        report.homeless.update(f"system attribute {name}" for name in trial.system_attrs)
        yield _trial(trial, study.study_name, origin, names, directions)


def _trial(trial: FrozenTrial, study: str, origin: str, names: list[str], directions: list[str]) -> ForeignTrial:
    curve = {step: value for step, value in trial.intermediate_values.items() if value is not None}
    return ForeignTrial(
        form=FORM,
        where=f"{printable(study)} trial {trial.number}",
        study=printable(study),
        origin=origin,
        number=trial.number,
        state=trial.state.name,
        params={name: "None" if value is None else value for name, value in trial.params.items()},
        attributes=trial.user_attrs,
        curves={"value": curve} if curve else {},
        values=list(trial.values or []),
        value_names=names,
        directions=directions,
        started=trial.datetime_start,
        ended=trial.datetime_complete,
    )
