"""Verify: environment, stores and data versions are whole; one line each."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from pipeline.datasets.dataset import load_dataset
from pipeline.exceptions import PatchscaleError
from pipeline.redaction import redacted
from pipeline.snapshots.snapshot import list_snapshots, load_snapshot
from search.tracking.database import database_of
from search.tracking.schema import require_database
from search.tracking.stores import Stores, open_storage, open_tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient

Finding = tuple[bool, str]

LOCKED_PARTS = (".baselines", ".registration", ".walkforward")
"""What of a study commands work on under locks of their own."""


def verify(stores: Stores, root: Path) -> Iterator[Finding]:
    """Check everything that a study stands on.

    Yields
    ------
    (bool, str)
        Whether it is whole, and one line that says what was looked at.
    """
    yield _environment()
    yield _store("tracking store", stores.tracking_uri, lambda: open_tracking(stores))
    yield _store("scheduling store", stores.storage_uri, lambda: open_storage(stores))
    yield _stale_runs(stores)
    yield from _records(stores)
    yield _versions("snapshots", (partial(load_snapshot, root, each) for each in list_snapshots(root)))
    digests = sorted(path.stem for path in (root / "datasets").glob("*.parquet"))
    yield _versions("dataset versions", (partial(load_dataset, root, digest) for digest in digests))


def _environment() -> Finding:
    wrong = []
    try:
        requirements = [Requirement(text) for text in requires("patchscale") or []]
    except PackageNotFoundError:
        return False, "environment: patchscale is not installed; run pip install -e ."
    for requirement in requirements:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            found = "none"
        if found == "none" or not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement} (got {found})")
    line = f"environment: Python {platform.python_version()}, {len(requirements)} requirements"
    return not wrong, line + (f"; not met: {', '.join(wrong)}" if wrong else " met")


def _store(name: str, uri: str, connect: Callable[[], object]) -> Finding:
    path, shown = database_of(uri), redacted(uri)
    if path is not None and not path.exists():
        return True, f"{name}: {shown} not made yet"
    try:
        if path is not None:
            require_database(name, path)
            with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as connection:
                answer = connection.execute("PRAGMA integrity_check").fetchone()[0]
            connection.close()
            if answer != "ok":
                return False, f"{name}: {shown} is damaged: {answer}"
        connect()
    except (PatchscaleError, sqlite3.DatabaseError) as error:
        return False, f"{name}: {error}"
    return True, f"{name}: {shown} whole"


def _stale_runs(stores: Stores) -> Finding:
    database = stores.tracking_database
    if database is not None and not database.exists():
        return True, "runs: none yet"
    from search.tracking.lease import holders
    from search.tracking.reader import find_experiments, find_runs, matching
    from search.tracking.tags import RUNNING, STUDY

    try:
        client = open_tracking(stores)
        found = find_runs(client, find_experiments(client), matching({}, status=RUNNING))
        running = [run for run in found if run.data.tags.get(STUDY)]
        parts = {r.info.run_id: [r.data.tags[STUDY] + suffix for suffix in ("", *LOCKED_PARTS)] for r in running}
        held = holders(stores, {name for names in parts.values() for name in names})
    except PatchscaleError as error:
        return False, f"runs: {error}"
    stale = [run_id[:8] for run_id, names in parts.items() if not any(name in held for name in names)]
    if stale:
        named = ", ".join(stale)
        return False, f"runs: {len(stale)} say RUNNING though nobody works on them ({named}); repeat their hpo"
    return True, f"runs: {len(running)} running, none stale"


def _records(stores: Stores) -> Iterator[Finding]:
    """Say of each study whether every finished trial has its run, and these their files; then of model versions."""
    database = stores.tracking_database
    if database is not None and not database.exists():
        return
    from search.audit.kept_files import look_into
    from search.results.trial_runs import whole_record
    from search.study.life_cycle import recorded_studies
    from search.study.study import load_study
    from search.tracking.tags import FINISHED

    try:
        client, storage = open_tracking(stores), open_storage(stores)
        names = {*recorded_studies(client), *(each.study_name for each in storage.get_all_studies())}
    except PatchscaleError as error:
        yield False, f"studies: {error}"
        return
    for name in sorted(names):
        try:
            study = load_study(stores, name, client=client, storage=storage)
            trials = sorted(whole_record(study), key=lambda trial: (trial.loss is None, trial.loss))
            own = [trial.run for trial in trials if trial.finished]
            roles = {run.info.run_id: run for run in (*own, *study.runs(status=FINISHED))}
            found = look_into(client, list(roles.values()))
            yield not found.problems, f"artifacts of {name}: {found.text()}"
        except PatchscaleError as error:
            yield False, f"study {name}: {error}"
    yield from _models(stores, client)


def _models(stores: Stores, client: MlflowClient) -> Iterator[Finding]:
    """Say whether the files of every registered version are there, as far as they lie on this machine."""
    from search.tracking.location import beside
    from search.tracking.reader import every_page

    count, gone = 0, []
    for each in every_page(client.search_model_versions):
        source = str(each.source)
        if source.startswith("models:/"):  # by MLflow's own button
            source = client.get_model_version_download_uri(each.name, each.version)
        where = beside(stores.home, source)
        count += 1
        gone += [f"{each.name}/{each.version}"] if where is not None and not (where / "MLmodel").exists() else []
    if gone:
        yield False, f"model versions: the files of {', '.join(gone)} are gone; put them back, or register them again"
    elif count:
        yield True, f"model versions: {count} whole"


def _versions(kind: str, each: Iterable[Callable[[], object]]) -> Finding:
    """Read every version of a kind; each proves that it is what its name says."""
    count = 0
    try:
        for read in each:
            read()
            count += 1
    except PatchscaleError as error:
        return False, f"{kind}: {error}"
    return True, f"{kind}: {count} whole"
