"""The files of a study's runs: there, readable, and what they were when they were written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.exceptions import describe_error
from search.tracking.artifacts import (
    CHECKPOINT,
    DELETED,
    DIGEST,
    PREDICTIONS,
    PUT_BACK,
    checkpoints_of,
    fetch_artifact,
    is_kept,
)
from search.tracking.tags import BASELINE_ROLE, RESTORED, ROLE, TRIAL_ROLE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SAMPLE = 8
"""Runs of a study whose files are opened."""
OWN_FILES = {TRIAL_ROLE: ("spec.json", CHECKPOINT, PREDICTIONS), BASELINE_ROLE: (PREDICTIONS,)}
"""Files that finished runs keep, by role, also those whose records name no digest."""


@dataclass(kw_only=True, slots=True)
class KeptFiles:
    """What was found of a study's files.

    Parameters
    ----------
    runs, opened, equal : int
        Runs looked into, their files opened, and those that are equal to their digest; the record of the rest
        names none.
    let_go : int
        Finished runs whose weights were deleted on purpose.
    problems : list of str
        What is gone or changed, in words.
    """

    runs: int
    opened: int = 0
    equal: int = 0
    let_go: int = 0
    problems: list[str]

    def text(self) -> str:
        """One line."""
        if self.problems:
            more = f" and {len(self.problems) - 1} more" if len(self.problems) > 1 else ""
            return f"{self.problems[0]}{more}; {PUT_BACK}"
        unknown = self.opened - self.equal
        return (
            f"{self.opened} files of {self.runs} runs opened, {self.equal} equal to their digest"
            + (f", {unknown} of records that name none" if unknown else "")
            + (f"; weights of {self.let_go} trials were let go on purpose" if self.let_go else "")
        )


def look_into(client: MlflowClient, finished: Sequence[Run]) -> KeptFiles:
    """Open a sample of the files of finished runs; that none is gone is looked up for all of them.

    Parameters
    ----------
    client : MlflowClient
        Of their store.
    finished : sequence of Run
        Of one study, the most important first.
    """
    step = max(1, -(-len(finished) // SAMPLE))
    sample = finished[::step]
    found = KeptFiles(runs=len(sample), problems=[])
    for run in finished:
        gone = [path for path in files_of(run) if is_kept(client, run, path) is False]
        gone = [path for path in gone if not _meanwhile(client, run, path)]
        found.let_go += DELETED in run.data.tags
        found.problems += [f"{path} of run {run.info.run_id} is gone" for path in gone]
    for run in sample if not found.problems else ():
        for path, digest in files_of(run).items():
            problem = _problem(client, run, path, digest)
            if problem and _meanwhile(client, run, path):
                continue
            found.opened += 1
            found.equal += bool(digest) and not problem
            found.problems += [f"{path} of run {run.info.run_id} {problem}"] if problem else []
    return found


def files_of(run: Run) -> dict[str, str]:
    """Files that a finished run should keep, by path, with the digest of each; empty where the record names none."""
    tags = run.data.tags
    known = {name.removeprefix(DIGEST): value for name, value in tags.items() if name.startswith(DIGEST)}
    older = () if RESTORED in tags else OWN_FILES.get(tags.get(ROLE, ""), ())
    files = {**dict.fromkeys(older, ""), **known}
    weights = checkpoints_of(run) if DELETED in tags else []
    return {path: digest for path, digest in files.items() if path not in weights}


def _meanwhile(client: MlflowClient, run: Run, path: str) -> bool:
    """Whether weights were let go since their run was read, by a command that works on the study."""
    return path in checkpoints_of(run) and DELETED in client.get_run(run.info.run_id).data.tags


def _problem(client: MlflowClient, run: Run, path: str, digest: str) -> str:
    """Say what is wrong with a file; empty if nothing is."""
    with TemporaryDirectory() as directory:
        file = fetch_artifact(client, run, path, Path(directory))
        if file is None:
            return "is gone"
        if digest:
            with file.open("rb") as content:
                same = hashlib.file_digest(content, "sha256").hexdigest() == digest
            return "" if same else "is not what was written"
        return next(_unreadable(file), "")


def _unreadable(file: Path) -> Iterator[str]:
    try:
        _read(file)
    except Exception as error:
        yield f"can't be read ({describe_error(error)})"


def _read(file: Path) -> None:
    if file.suffix == ".parquet":
        import pyarrow.parquet as pq

        pq.read_table(file)
    elif file.suffix == ".json":
        json.loads(file.read_text(encoding="utf-8"))
    elif file.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(file, framework="numpy"):
            pass
