"""Verify: environment, stores and data versions are whole; one line each."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from search.tracking.holder import Holder
from search.tracking.schema import require_database
from search.tracking.stores import Stores, open_storage, open_tracking
from search.tracking.tags import (
    BASELINE_ROLE,
    EVALUATED,
    LAUNCHER_HOST,
    LAUNCHER_PID,
    LAUNCHER_ROLE,
    LEGACY_STUDY_ROLE,
    LEGACY_TRIAL_ROLE,
    REGISTRATION_ROLE,
    TEST_ROLE,
    WALK_FORWARD_ROLE,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

Finding = tuple[bool, str]

IMPORTED = (LEGACY_STUDY_ROLE, LEGACY_TRIAL_ROLE)
REMEDIES = {
    **dict.fromkeys(IMPORTED, "repeat the import"),
    LAUNCHER_ROLE: "patchscale reconcile of one of their studies closes them",
    BASELINE_ROLE: "repeat their baselines",
    WALK_FORWARD_ROLE: "repeat their walkforward",
    REGISTRATION_ROLE: "repeat their register or promote",
    TEST_ROLE: "repeat their evaluate",
}
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
    from search.tracking.tags import ROLE, RUNNING, STUDY

    try:
        client = open_tracking(stores)
        found = find_runs(client, find_experiments(client), matching({}, status=RUNNING))
        running = [run for run in found if run.data.tags.get(STUDY) or run.data.tags.get(ROLE) in IMPORTED]
        names = {run.info.run_id: _locks_of(run) for run in running if run.data.tags.get(ROLE) != LAUNCHER_ROLE}
        held = holders(stores, {name for each in names.values() for name in each})
    except PatchscaleError as error:
        return False, f"runs: {error}"
    stale: dict[str, list[str]] = {}
    for run in running:
        tags, run_id = run.data.tags, run.info.run_id
        if not (any(name in held for name in names[run_id]) if run_id in names else _is_launching(tags)):
            stale.setdefault(REMEDIES.get(tags.get(ROLE, ""), "repeat their hpo"), []).append(run_id[:8])
    if stale:
        said = (
            f"{len(ids)} say RUNNING though nobody works on them ({', '.join(ids)}); {remedy}"
            for remedy, ids in stale.items()
        )
        return False, f"runs: {'; '.join(said)}"
    return True, f"runs: {len(running)} running, none stale"


def _locks_of(run: Run) -> list[str]:
    """Names of the locks of which one is held while somebody works on a run."""
    from search.tracking.locks import IMPORT, part_of
    from search.tracking.tags import ROLE, STUDY

    tags = run.data.tags
    if tags.get(ROLE) in IMPORTED:
        return [IMPORT]
    model = tags.get(EVALUATED, "").rpartition("/")[0]
    return [*(tags[STUDY] + suffix for suffix in ("", *LOCKED_PARTS)), *([part_of(model, "registry")] if model else [])]


def _is_launching(tags: Mapping[str, str]) -> bool:
    """Whether the process that will end a launcher's run may be there: of another machine's nothing is known."""
    return Holder(pid=tags.get(LAUNCHER_PID, ""), host=tags.get(LAUNCHER_HOST, "")).is_gone is False


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
