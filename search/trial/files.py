"""The files that a finished trial leaves: spec, weights, predictions, and a preview of the last days."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from model.network.checkpoint import save_checkpoint
from model.network.patchtst import PatchTST
from model.spec.spec import Spec
from search.tracking.artifacts import DISTRIBUTION, PREDICTIONS, checkpoint_name
from search.tracking.note import PREVIEW_DAYS

if TYPE_CHECKING:
    from search.tracking.run import RunWriter


def log_checkpoint(record: RunWriter, spec: Spec, model: PatchTST, number: int) -> None:
    """Log the weights of a trial's seed of this number, and their digest."""
    with TemporaryDirectory() as directory:
        save_checkpoint(Path(directory) / checkpoint_name(number), spec, model)
        record.log_files(Path(directory))


def log_files(
    record: RunWriter,
    spec: Spec,
    days: pd.DataFrame,
    distribution: pd.DataFrame | None = None,
    model: PatchTST | None = None,
) -> None:
    """Log ``spec.json``, ``predictions/val.parquet`` and a preview of its last days.

    Where there are distributions, they lie beside the probabilities; where the weights are not in the run yet, they
    come as ``best.safetensors``.
    """
    with TemporaryDirectory() as directory:
        root = Path(directory)
        (root / PREDICTIONS).parent.mkdir()
        (root / "spec.json").write_text(json.dumps(spec.params(), indent=2), encoding="utf-8")
        if model is not None:
            save_checkpoint(root / checkpoint_name(0), spec, model)
        days.to_parquet(root / PREDICTIONS, index=False)
        if distribution is not None:
            distribution.to_parquet(root / DISTRIBUTION, index=False)
        rounded = {name: 4 for name in days if name.startswith("p")}
        days.tail(PREVIEW_DAYS).round(rounded).to_csv(root / "predictions" / "preview.csv", index=False)
        record.log_files(root)
