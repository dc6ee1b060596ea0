"""The writer: whatever a run holds is written here, in few calls, and its params are read back."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from model.evaluation import Evaluation, undefined_reasons
from pipeline.exceptions import RecordError, describe_error
from pipeline.redaction import HIDDEN, redacted, redacted_traceback
from search.tracking.artifacts import digest_tags
from search.tracking.held import of_nobody_else
from search.tracking.provenance import code_tags, library_tags, user_tags
from search.tracking.tags import (
    FAILED,
    FINISHED,
    INVALID,
    KILLED,
    NOTE,
    PARENT,
    REASON,
    RECORD_STATE,
    ROLE,
    RUNNING,
    STUDY,
    VALID,
)
from search.tracking.widths import RUN_NAME, RUN_TAG, cut

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.data.dataset import Dataset


MAX_METRICS = 1000


class RunWriter:
    """Write one run; as a context, end it as what was done inside ended.

    Parameters
    ----------
    client : MlflowClient
        Connected to the tracking store.
    run_id : str
        Of the run.
    """

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self.client = client
        self.run_id = run_id

    @classmethod
    def create(
        cls,
        client: MlflowClient,
        experiment_id: str,
        name: str,
        *,
        role: str,
        study: str = "",
        parent: str = "",
        tags: Mapping[str, str] | None = None,
        versions: Mapping[str, str] | None = None,
        start_time: int | None = None,
    ) -> RunWriter:
        """Make a run that says what it is for, whose it is, who started it, and which code and libraries made it.

        Parameters
        ----------
        client : MlflowClient
            Connected to the tracking store.
        experiment_id, name : str
            Where it stands, and how it is called.
        role : str
            What it is for, one of :mod:`search.tracking.tags`.
        study, parent : str, optional
            Name of its study, and id of the run above it.
        tags : mapping, optional
            Beside those.
        versions : mapping, optional
            In place of the commit and the version of every library, where those made nothing of it.
        start_time : int, optional
            Milliseconds since 1970 at which somebody else's run began; else it begins now.
        """
        whose = {name: value for name, value in ((PARENT, parent), (STUDY, study)) if value}
        made_by = {**code_tags(), **library_tags()} if versions is None else versions
        said = {ROLE: role, **whose, **user_tags(), **made_by, **(tags or {})}
        said = {name: cut(str(value), RUN_TAG) for name, value in said.items()}
        run = client.create_run(experiment_id, start_time=start_time, run_name=cut(name, RUN_NAME), tags=said)
        return cls(client, str(run.info.run_id))

    def resume(self, name: str | None = None, tags: Mapping[str, Any] | None = None) -> None:
        """Open the run again, perhaps under another name."""
        self.client.update_run(self.run_id, status=RUNNING, name=name and cut(name, RUN_NAME))
        self.set_tags({**(tags or {}), REASON: "resumed"})

    def log_params(self, params: Mapping[str, str], values: Mapping[str, float] | None = None) -> dict[str, str]:
        """Log params, and metrics with them, read the params back, and mark the run as valid or invalid.

        Returns
        -------
        dict
            The params as MLflow holds them.

        Raises
        ------
        RecordError
            If one is missing or differs.
        """
        self.log(values or {}, params=params)
        held: dict[str, str] = self.client.get_run(self.run_id).data.params
        state = compare_params(held, params)
        self.client.set_tag(self.run_id, RECORD_STATE, state)
        if state != VALID:
            raise RecordError(f"run {self.run_id} must read back as what was logged, got {state}; check the store")
        return held

    def log_inputs(self, parts: Sequence[tuple[str, Dataset]]) -> None:
        """Log dataset entities, each with its context: ``train``, ``validation``."""
        from mlflow.entities import DatasetInput, InputTag

        inputs = [
            DatasetInput(dataset=part._to_mlflow_entity(), tags=[InputTag("mlflow.data.context", context)])
            for context, part in parts
        ]
        self.client.log_inputs(self.run_id, inputs)

    def log(
        self,
        values: Mapping[str, float],
        *,
        step: int = 0,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Log metrics, params and tags in one call; an undefined metric is left out: stores can't hold NaN alike."""
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        self.client.log_batch(
            self.run_id,
            metrics=[Metric(name, value, now, step) for name, value in values.items() if math.isfinite(value)],
            params=[Param(name, value) for name, value in (params or {}).items()],
            tags=[RunTag(name, cut(redacted(str(value)), RUN_TAG)) for name, value in (tags or {}).items()],
        )

    def log_curves(self, curves: Mapping[str, Mapping[int, float]]) -> None:
        """Log finite metrics by step, as many in a call as MLflow takes."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        points = [
            Metric(name, value, now, step)
            for name, curve in curves.items()
            for step, value in curve.items()
            if math.isfinite(value)
        ]
        for first in range(0, len(points), MAX_METRICS):
            self.client.log_batch(self.run_id, metrics=points[first : first + MAX_METRICS])

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set several tags in one call."""
        self.log({}, tags=tags)

    def log_table(self, table: pd.DataFrame, name: str) -> None:
        """Log a frame as an artifact: as its name ends, ``.parquet`` or ``.csv``."""
        with TemporaryDirectory() as directory:
            path = Path(directory) / name
            path.parent.mkdir(exist_ok=True)
            write = table.to_parquet if path.suffix == ".parquet" else table.to_csv
            write(path, index=False)
            self.log_files(Path(directory))

    def log_files(self, directory: Path) -> None:
        """Log what a directory holds as artifacts, with the digest of each file as a tag."""
        self.client.log_artifacts(self.run_id, str(directory))
        self.set_tags(digest_tags(directory))

    def conclude(
        self, evaluation: Evaluation, figures: Mapping[str, float], files: Path | None = None, *, note: str = ""
    ) -> None:
        """Log an evaluation as ``best/…``, further figures and artifacts, its note, and end the run FINISHED."""
        if files is not None:
            self.log_files(files)
        values = {f"best/{name}": float(value) for name, value in asdict(evaluation).items()}
        undefined = "; ".join(f"{name}: {reason}" for name, reason in undefined_reasons(evaluation).items())
        said = {"metrics.undefined": undefined, NOTE: note}
        tags = {REASON: "complete", **{name: text for name, text in said.items() if text}}
        self.log({**values, **figures}, tags=tags)
        self.end(FINISHED)

    def interrupt(self, reason: str = "interrupted") -> None:
        """End the run KILLED with the reason as a tag."""
        self.end(KILLED, reason)

    def fail(self, error: BaseException) -> None:
        """End the run FAILED with the traceback as an artifact."""
        self.client.log_text(self.run_id, redacted_traceback(error), "traceback.txt")
        self.end(FAILED, describe_error(error))

    def stop(self, error: BaseException) -> None:
        """End the run by cause: FAILED, or KILLED where somebody stopped it."""
        if isinstance(error, Exception):
            self.fail(error)
        else:
            self.interrupt()

    def end(self, status: str, reason: str = "", end_time: int | None = None) -> None:
        """End the run; the reason, if there is one, is a tag.  Somebody else's ended at ``end_time``."""
        if reason:
            self.set_tags({REASON: reason})
        self.client.set_terminated(self.run_id, status, end_time=end_time)

    def __enter__(self) -> RunWriter:
        """Give the writer of a run that is RUNNING."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        """End the run FINISHED, or by the cause that stopped it."""
        if error is None:
            self.end(FINISHED, "complete")
        else:
            with of_nobody_else():
                self.stop(error)


def forget_params(client: MlflowClient, run_id: str, names: Sequence[str]) -> None:
    """Write over params of a run that should never have been recorded, where the store is a database of ours."""
    store = client._tracking_client.store
    if not hasattr(store, "ManagedSessionMaker"):
        return
    from mlflow.store.tracking.dbmodels.models import SqlParam

    with store.ManagedSessionMaker(read_only=False) as session:
        held = session.query(SqlParam).filter(SqlParam.run_uuid == run_id, SqlParam.key.in_(names))
        held.update({SqlParam.value: HIDDEN}, synchronize_session=False)


def compare_params(held: Mapping[str, str], logged: Mapping[str, str]) -> str:
    """Compare a run's params with what was logged: ``valid`` or ``invalid: …``.

    Examples
    --------
    >>> compare_params({"a": "1", "b": "2"}, {"a": "1"}), compare_params({"a": "1"}, {"a": "2"})
    ('valid', 'invalid: changed a')
    """
    missing = [name for name in logged if name not in held]
    if missing:
        return f"{INVALID}: missing {', '.join(missing)}"
    changed = [name for name, value in logged.items() if held[name] != value]
    return f"{INVALID}: changed {', '.join(changed)}" if changed else VALID
