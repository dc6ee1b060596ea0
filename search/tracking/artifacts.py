"""Artifacts of runs: how large they are, their way here, their digests, and the deletion of a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.exceptions import StoreError, StoreLostError, describe_error
from search.tracking.database import database_of
from search.tracking.held import require_held
from search.tracking.location import beside
from search.tracking.patience import wait_for

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

CHECKPOINT, PREDICTIONS = "best.safetensors", "predictions/val.parquet"
DISTRIBUTION = "predictions/distribution.parquet"
N_SEEDS = "n_seeds"
"""Param of a trial's run: how many models it keeps the weights of."""
DELETED = "checkpoint.deleted"
"""Tag of a run whose checkpoint was not worth its space."""
DIGEST = "sha256/"
"""Beginning of the tags that say what a run's files were when they were written; the file's path follows."""
PUT_BACK = "put the store's artifacts back, from a backup or from where it was moved"
NEW_STUDY = "start a new study with --study NAME"


def artifact_bytes(runs: Iterable[Run]) -> int | None:
    """Size of everything that the runs keep; None is unknown, for a store that is not a directory of this machine."""
    directories = [_directory(run) for run in runs]
    if None in directories:
        return None
    files = (path for directory in directories if directory is not None for path in directory.rglob("*"))
    return sum(path.stat().st_size for path in files if path.is_file())


def checkpoint_name(number: int) -> str:
    """Path of the weights of a trial's seed of this number.

    Examples
    --------
    >>> checkpoint_name(0), checkpoint_name(1)
    ('best.safetensors', 'best-1.safetensors')
    """
    stem, _, kind = CHECKPOINT.rpartition(".")
    return f"{stem}-{number}.{kind}" if number else CHECKPOINT


def checkpoints_of(run: Run) -> list[str]:
    """Paths of the weights that a trial's run should keep: one a seed."""
    return [checkpoint_name(number) for number in range(int(run.data.params.get(N_SEEDS, "1")))]


def checkpoint_bytes(client: MlflowClient, run: Run) -> int | None:
    """Size of a run's checkpoints; None if it keeps none."""
    wanted = set(checkpoints_of(run))
    sizes = [int(each.file_size or 0) for each in client.list_artifacts(run.info.run_id) if each.path in wanted]
    return sum(sizes) if sizes else None


def delete_checkpoint(client: MlflowClient, run: Run) -> None:
    """Delete a run's checkpoints, whatever store they lie in.

    Raises
    ------
    StoreError
        If the store can't, or will not.
    """
    try:
        kept = {each.path for each in client.list_artifacts(run.info.run_id)}
        for path in checkpoints_of(run):
            if path in kept:
                delete_artifact(client, run, path)
        if checkpoint_bytes(client, run) is None:
            return
        reason = "it is still there"
    except StoreLostError:
        raise
    except Exception as error:
        reason = describe_error(error)
    raise StoreError(
        f"an artifact store must be able to delete files, got {run.info.artifact_uri} ({reason}); "
        f"delete {CHECKPOINT} of the losing runs there by hand"
    )


def fetch_artifact(client: MlflowClient, run: Run, path: str, into: Path) -> Path | None:
    """Bring one artifact here: where it lies in a directory of this machine, else a copy in ``into``.

    Returns
    -------
    Path or None
        None if the run does not keep it.

    Raises
    ------
    StoreError
        If the store can't be reached.
    """
    directory = _located(client, run)
    if directory is not None:
        return directory / path if (directory / path).is_file() else None
    try:
        into.mkdir(parents=True, exist_ok=True)
        return wait_for("MLflow's artifact store", lambda: _download(_repository(client, run), path, into))
    except StoreLostError:
        raise
    except Exception as error:
        raise StoreError(
            f"an artifact store must be able to give {path}, got {run.info.artifact_uri} ({describe_error(error)}); "
            "check it"
        ) from error


def _download(repository: Any, path: str, into: Path) -> Path | None:
    folder = PurePosixPath(path).parent
    # A server answers paths with a dot in them when it is asked for ".".
    within = None if folder == PurePosixPath() else str(folder)
    if path not in [each.path for each in repository.list_artifacts(within)]:
        return None
    return Path(repository.download_artifacts(path, dst_path=str(into)))


def read_artifact(client: MlflowClient, run: Run, path: str) -> bytes | None:
    """Content of one artifact; None if the run does not keep it.

    Raises
    ------
    StoreError
        If the store can't be reached.
    """
    with TemporaryDirectory() as directory:
        found = fetch_artifact(client, run, path, Path(directory))
        return None if found is None else found.read_bytes()


def lost_in_words(client: MlflowClient, run: Run, path: str, rule: str, otherwise: str = NEW_STUDY) -> str:
    """Say which artifact is gone that evidence stands on, where it should lie, and what to do.

    Parameters
    ----------
    client, run, path
        As in :func:`read_artifact`.
    rule : str
        What is broken without it, in words.
    otherwise : str
        What to do where it can't be put back.
    """
    where = _located(client, run) or run.info.artifact_uri
    return f"{rule} (run {run.info.run_id}, {where}/{path}); {PUT_BACK}, or {otherwise}"


def is_kept(client: MlflowClient, run: Run, path: str) -> bool | None:
    """Whether an embedded store keeps an artifact; None, unknown, for one that would have to be asked."""
    directory = _located(client, run)
    return None if directory is None else (directory / path).is_file()


def is_served(run: Run) -> bool:
    """Whether a run's artifacts lie elsewhere than in a directory of this machine."""
    return _directory(run) is None


def delete_artifact(client: MlflowClient, run: Run, path: str) -> None:
    """Delete a file or a folder of a run, whatever store it lies in."""
    require_held()
    _repository(client, run).delete_artifacts(path)


def digest_tags(directory: Path) -> dict[str, str]:
    """Tags of a run that say what its files are: SHA-256 of every file in a directory that is about to be logged."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {f"{DIGEST}{path.relative_to(directory).as_posix()}": _digest(path) for path in files}


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def replace_artifacts(client: MlflowClient, run_id: str, directory: Path, path: str) -> None:
    """Log a directory as this path of a run, in place of what was there; a store that can't delete keeps both."""
    if any(each.path == path for each in client.list_artifacts(run_id)):
        with suppress(Exception):
            delete_artifact(client, client.get_run(run_id), path)
    client.log_artifacts(run_id, str(directory), path)


def _repository(client: MlflowClient, run: Run) -> Any:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(run.info.artifact_uri, tracking_uri=client.tracking_uri)


def _located(client: MlflowClient, run: Run) -> Path | None:
    """Where a run's artifacts lie, which is beside an embedded store's database whatever its records name."""
    directory, database = _directory(run), database_of(str(client.tracking_uri))
    return directory if directory is None or database is None else beside(database.parent, str(directory))


def _directory(run: Run) -> Path | None:
    """Where an embedded store keeps a run's artifacts."""
    from mlflow.utils.file_utils import local_file_uri_to_path
    from mlflow.utils.uri import is_local_uri

    uri = str(run.info.artifact_uri)
    return Path(local_file_uri_to_path(uri)) if is_local_uri(uri) else None
