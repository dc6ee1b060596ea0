"""Where the data of a study lie: in a data directory of this machine, else among the artifacts of the study's run.

A server holds every dataset version that a study stands on, and the snapshots under it, so that another machine has
them by their digests.  Each proves that it is what its name says before it is taken.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.datasets.dataset import DatasetVersion, dataset_path, load_dataset
from pipeline.exceptions import DataError
from pipeline.snapshots.snapshot import list_snapshots, load_snapshot, snapshot_path
from search.tracking.artifacts import fetch_artifact
from search.tracking.database import SQLITE

if TYPE_CHECKING:
    from mlflow import MlflowClient

FOLDER = "data"
"""Folder of a run's artifacts that is laid out as a data directory is."""


def is_shared(client: MlflowClient) -> bool:
    """Whether a store is read from machines that do not have the data."""
    return not str(client.tracking_uri).startswith(SQLITE)


def data_address(client: MlflowClient, run_id: str) -> str:
    """Address under which a shared store has a study's data; empty for a store of this machine."""
    return f"runs:/{run_id}/{FOLDER}" if is_shared(client) else ""


def keep_data(client: MlflowClient, run_id: str, root: Path, versions: Iterable[DatasetVersion]) -> None:
    """Let a shared store hold dataset versions and their snapshots, those that it does not hold yet.

    Parameters
    ----------
    client, run_id
        Of the study's run.
    root : Path
        Data directory in which they lie.
    versions : iterable of DatasetVersion
        What the study stands on.
    """
    if not is_shared(client):
        return
    held = {each.path for each in client.list_artifacts(run_id, f"{FOLDER}/datasets")}
    missing = [each for each in versions if f"{FOLDER}/datasets/{each.digest}.parquet" not in held]
    if not missing:
        return
    with TemporaryDirectory() as directory:
        for path in (path for version in missing for path in _files(root, version)):
            there = Path(directory) / path.relative_to(root)
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, there)
        for part in ("snapshots", "datasets"):  # what a version stands on first: one that is there is whole
            if (Path(directory) / part).is_dir():
                client.log_artifacts(run_id, str(Path(directory) / part), f"{FOLDER}/{part}")


def bring_data(client: MlflowClient, run_id: str, digests: Iterable[str], root: Path) -> None:
    """Bring dataset versions that are not in a data directory into it, with their snapshots, from the study's run.

    What the run does not hold stays missing, which whoever loads it says.

    Raises
    ------
    DataError
        If one is not what its name says.
    StoreError
        If the store can't be reached.
    """
    missing = [digest for digest in digests if not dataset_path(root, digest).exists()]
    if not missing or not is_shared(client):
        return
    root.mkdir(parents=True, exist_ok=True)
    for digest in missing:
        with TemporaryDirectory(dir=root, prefix=".brought-") as directory:
            _bring(client, run_id, digest, Path(directory), root)


def _bring(client: MlflowClient, run_id: str, digest: str, here: Path, root: Path) -> None:
    run = client.get_run(run_id)

    def fetch(path: Path) -> bool:
        wanted = f"{FOLDER}/{path.relative_to(here).as_posix()}"
        found = fetch_artifact(client, run, wanted, here / "fetched")
        if found is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, path)
        return found is not None

    if not fetch(dataset_path(here, digest)):
        return
    try:
        version = load_dataset(here, digest)
        for ticker, of in version.snapshots.items():
            for suffix in (".parquet", ".json", ".checks.txt"):
                fetch(snapshot_path(here, ticker, of).with_suffix(suffix))
        for snapshot in list_snapshots(here):
            load_snapshot(here, snapshot)
    except DataError as error:
        raise DataError(
            f"data of a study's run must be what their names say, got {digest} of run {run_id[:8]}, which is not "
            f"({error.args[0]}); delete {FOLDER}/ of that run, and repeat the study's hpo where its data are"
        ) from error
    for part in ("snapshots", "datasets"):
        for path in sorted(each for each in (here / part).rglob("*") if each.is_file()):
            place = root / path.relative_to(here)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, place)


def _files(root: Path, version: DatasetVersion) -> Iterator[Path]:
    """Files of a dataset version and of its snapshots that are there."""
    from pipeline.checks.stored import report_path

    used = set(version.snapshots.values())
    for snapshot in list_snapshots(root):
        if snapshot.digest in used:
            bars = snapshot_path(root, snapshot.ticker, snapshot.digest)
            yield from (
                each for each in (bars, bars.with_suffix(".json"), report_path(root, snapshot)) if each.exists()
            )
    yield version.path(root)
