"""What a run says about its data: entities, base rates, drift and the report of the checks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model.windows import Windows, make_windows
from pipeline.base_rates import base_rates
from pipeline.checks.stored import report_path
from pipeline.dataset import DatasetVersion
from pipeline.drift import drift_report
from pipeline.lineage import MarketDataset
from pipeline.snapshot import list_snapshots
from search import record
from search.study import Study


def dataset_entities(dataset: DatasetVersion, root: Path, windows: Windows) -> dict[str, MarketDataset]:
    """MLflow's entities of the parts of the split, by context: train, validation, test."""
    labels = windows.y_D.cpu().numpy().astype(np.float64)
    parts = windows.rows.parts
    return {name: MarketDataset(dataset, root, rows, labels, part=name, parts=parts) for name, rows in parts.items()}


def log_data(study: Study, dataset: DatasetVersion) -> None:
    """Log the data on the study's run, once.

    Entities as inputs; base rates as metrics; ``data/drift.md`` and ``.csv``, and
    ``data/checks-….txt`` of every snapshot, as artifacts.
    """
    client, run_id, root = study.client, study.run_id, study.data_root
    inputs = client.get_run(run_id).inputs
    if inputs is not None and inputs.dataset_inputs:
        return
    architecture = study.plan.grid().architectures[0]
    windows = make_windows(dataset, study.plan.target, study.plan.split, architecture.context_length)
    rates = base_rates(windows.y_D.cpu().numpy().astype(np.float64), windows.rows)
    metrics = {f"data/base_rate_{name}": rate.rate for name, rate in rates.items()}
    days = {f"data/days_{name}": float(rate.days) for name, rate in rates.items()}
    record.TrialRecord(client, run_id).log({**metrics, **days})
    drift = drift_report(dataset, windows.rows)
    client.log_text(run_id, drift.text(), "data/drift.md")
    client.log_text(run_id, drift.table.to_csv(), "data/drift.csv")
    for snapshot in list_snapshots(root):
        path = report_path(root, snapshot)
        if snapshot.digest in dataset.snapshots.values() and path.exists():
            client.log_text(run_id, path.read_text(), f"data/checks-{snapshot.ticker.strip('^')}.txt")
    shifted = ", ".join(drift.shifted) or "none"
    record.set_tags(client, run_id, {"data.warnings": len(dataset.warnings), "data.shifted": shifted[:5000]})
    record.log_inputs(client, run_id, dataset_entities(dataset, root, windows))
