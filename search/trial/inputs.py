"""What a run says about its data: entities, base rates, drift and the report of the checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from model.windows import Windows, make_windows
from pipeline.checks.stored import report_path
from pipeline.datasets.dataset import DatasetVersion
from pipeline.datasets.drift import drift_report
from pipeline.datasets.mlflow_dataset import MarketDataset
from pipeline.exceptions import shortened
from pipeline.snapshots.snapshot import list_snapshots
from pipeline.splits.base_rates import base_rates
from pipeline.splits.splits import Split, training_rows
from pipeline.splits.target import Target
from search.study.study import Study
from search.tracking.data_place import data_address, keep_data
from search.tracking.run import RunWriter


def dataset_entities(
    dataset: DatasetVersion, root: Path, windows: Windows, address: str = ""
) -> list[tuple[str, MarketDataset]]:
    """MLflow's entities of the parts of the split, with their contexts: train, validation, test."""
    labels = windows.y_host_D[: len(dataset.dates)].astype(np.float64)
    parts = windows.rows.parts
    whole = partial(MarketDataset, dataset, root, parts=parts, address=address)
    return [(name, whole(rows=rows, labels=labels, part=name)) for name, rows in parts.items()]


def pooled_entities(
    pooled: Sequence[DatasetVersion],
    root: Path,
    target: Target,
    split: Split,
    context_length: int,
    address: str = "",
) -> list[tuple[str, MarketDataset]]:
    """MLflow's entities of what is trained on beside the forecast ticker, with their context: train."""
    entities = []
    for each in pooled:
        labels = target.labels(each.frame)
        rows = training_rows(each.dates, labels, split, horizon=target.horizon, first_row=context_length - 1)
        if len(rows):
            entities.append(("train", MarketDataset(each, root, rows, labels, part="train", address=address)))
    return entities


def study_entities(
    study: Study, dataset: DatasetVersion, pooled: Sequence[DatasetVersion], windows: Windows
) -> list[tuple[str, MarketDataset]]:
    """MLflow's entities of all that the windows of a study were made of, with their contexts."""
    plan, root = study.plan, study.data_root
    address = data_address(study.client, study.run_id)
    beside = pooled_entities(pooled, root, plan.target, plan.split, windows.context_length, address)
    return dataset_entities(dataset, root, windows, address) + beside


def log_data(study: Study, dataset: DatasetVersion, pooled: Sequence[DatasetVersion] = ()) -> None:
    """Log the data on the study's run, once.

    Entities as inputs; days, and base rates of the parts that are not sealed, as metrics; ``data/drift.md`` and
    ``.csv``, and ``data/checks-….txt`` of every snapshot, as artifacts, and in a shared store the data themselves.
    """
    client, run_id, root = study.client, study.run_id, study.data_root
    keep_data(client, run_id, root, (dataset, *pooled))
    inputs = client.get_run(run_id).inputs
    if inputs is not None and inputs.dataset_inputs:
        return
    plan = study.plan
    windows = make_windows(dataset, plan.target, plan.split, plan.context_length)
    rates = base_rates(windows.y_host_D.astype(np.float64), replace(windows.rows, test=windows.rows.test[:0]))
    metrics = {f"data/base_rate_{name}": rate.rate for name, rate in rates.items()}
    days = {f"data/days_{name}": float(len(rows)) for name, rows in windows.rows.parts.items()}
    writer = RunWriter(client, run_id)
    writer.log({**metrics, **days})
    drift = drift_report(dataset, windows.rows)
    client.log_text(run_id, drift.text(), "data/drift.md")
    client.log_text(run_id, drift.table.to_csv(), "data/drift.csv")
    for snapshot in list_snapshots(root):
        path = report_path(root, snapshot)
        used = {digest for each in (dataset, *pooled) for digest in each.snapshots.values()}
        if snapshot.digest in used and path.exists():
            client.log_text(run_id, path.read_text(encoding="utf-8"), f"data/checks-{snapshot.ticker.strip('^')}.txt")
    shifted = ", ".join(drift.shifted) or "none"
    writer.set_tags({"data.warnings": len(dataset.warnings), "data.shifted": shortened(shifted, 5000)})
    writer.log_inputs(study_entities(study, dataset, pooled, windows))
