"""The weights that a version holds, and what they say offline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from model.network.checkpoint import load_checkpoint, save_checkpoint
from model.network.patchtst import PatchTST
from model.spec.spec import Spec
from model.training.execution import choose_execution
from model.training.refit import refit, refit_rows
from model.training.trainer import predict_rows
from model.windows import Windows, make_windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import InputError
from pipeline.splits.splits import Index
from search.registry.packaging.best_trial import BestTrial, own_weights, validation_predictions
from search.registry.versions.versions import DATA_LAST, DATASET, SEEDS, STUDY_RUN
from search.tracking.tags import STUDY, TRIAL_NUMBER, TRIAL_RUN
from search.trial.parts import trial_parts

if TYPE_CHECKING:
    from search.results.trial_runs import RecordedTrial
    from search.study.study import Study

DEFAULT_SEEDS = 3
MOST_SEEDS = 100
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True, slots=True)
class Members:
    """Trained models of one spec, whose probabilities a version averages.

    Parameters
    ----------
    models : sequence of (Spec, PatchTST)
        Each with its own seed in the spec.
    as_is : bool
        Whether they are the trial's own weights.
    windows : Windows
        That they were trained on, the test split sealed.
    train_rows : ndarray of shape (samples,)
        Forecast rows that they were trained on.
    expected : DataFrame
        Date and probability ``p`` of every validation day, worked out before packaging.
    """

    models: Sequence[tuple[Spec, PatchTST]]
    as_is: bool
    windows: Windows
    train_rows: Index
    expected: pd.DataFrame

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the members."""
        return tuple(spec.seed for spec, _ in self.models)


def trial_members(study: Study, best: BestTrial) -> Members:
    """Take the trial's own weights; what they say is what the trial stored, of folds in the last."""
    models, windows = own_weights(study, best), last_windows(best.spec, *study.load_data())
    expected = expected_of_trial(study, best, windows)
    return Members(models=models, as_is=True, windows=windows, train_rows=windows.train_rows, expected=expected)


def expected_of_trial(study: Study, best: BestTrial, windows: Windows) -> pd.DataFrame:
    """Read what a trial's own weights said of the validation days of these windows: date and ``p``."""
    expected = validation_predictions(study, best)[["date", "p"]].tail(len(windows.rows.validation))
    return expected.reset_index(drop=True)


def last_windows(spec: Spec, dataset: DatasetVersion, pooled: Sequence[DatasetVersion]) -> Windows:
    """Windows that the weights which a trial keeps were trained on: of folds those of the last."""
    return trial_parts(spec, windows_of(spec, dataset, pooled), (dataset, *pooled))[-1].windows


def refitted_members(
    study: Study,
    best: BestTrial,
    n_seeds: int,
    *,
    device: torch.device = CPU,
    after_each: Callable[[int], None] = lambda done: None,
) -> Members:
    """Refit the spec on train and validation with several seeds and the trial's best number of epochs.

    Parameters
    ----------
    study : Study
        Of the trial.
    best : BestTrial
        The trial.
    n_seeds : int
        Refits.
    device : torch.device
        To train on; what the members say is worked out on the processor in float32, as a server will.
    after_each : callable
        Told how many refits are done.

    Raises
    ------
    InputError
        If the number of seeds is out of range.
    TrainingError
        If a refit diverges.
    """
    require_seeds(n_seeds)
    dataset, pooled = study.load_data()
    windows = windows_of(best.spec, dataset, pooled)
    there = windows_of(best.spec, dataset, pooled, device=device)
    rows = refit_rows(windows, best.spec, (dataset, *pooled))
    execution = choose_execution(best.spec, device, rows=len(there.x_DF))
    models = []
    for seed in range(best.spec.seed, best.spec.seed + n_seeds):
        model = refit(best.spec, there, rows, n_epochs=best.n_epochs, seed=seed, execution=execution)
        models.append(_as_served(replace(best.spec, seed=seed), model))
        after_each(len(models))
    days = windows.rows.validation
    p_D = np.mean([predict_rows(model, windows, days) for _, model in models], axis=0)
    expected = pd.DataFrame({"date": dataset.dates[days], "p": p_D})
    return Members(models=models, as_is=False, windows=windows, train_rows=rows, expected=expected)


def _as_served(spec: Spec, model: PatchTST) -> tuple[Spec, PatchTST]:
    """Take the model through a file, as packaging does: on the processor, without what was compiled for a GPU."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "member.safetensors"
        save_checkpoint(path, spec, model)
        return load_checkpoint(path)


def member_tags(
    study: Study, trial: RecordedTrial, seeds: Iterable[int], n_epochs: int, data_last: str
) -> dict[str, str]:
    """Tags of a version, or of what one is made of, that say whose weights it holds and what they have seen."""
    assert trial.spec is not None
    return {
        STUDY: study.plan.study,
        STUDY_RUN: study.run_id,
        TRIAL_RUN: trial.run_id,
        TRIAL_NUMBER: str(trial.number),
        DATASET: trial.spec.data.dataset,
        "spec.hash": trial.spec.hash,
        "architecture": trial.spec.architecture.label,
        SEEDS: ",".join(map(str, seeds)),
        "members.epochs": str(n_epochs),
        DATA_LAST: data_last,
    }


def require_seeds(n_seeds: int) -> None:
    """Refuse a number of seeds that is out of range.

    Raises
    ------
    InputError
        If it is below 1 or above 100.
    """
    if not 1 <= n_seeds <= MOST_SEEDS:
        raise InputError(f"seeds must be from 1 to {MOST_SEEDS}, got {n_seeds}; for instance --seeds {DEFAULT_SEEDS}")


def windows_of(
    spec: Spec, dataset: DatasetVersion, pooled: Sequence[DatasetVersion], *, device: torch.device = CPU
) -> Windows:
    """Windows of a spec on a device, the test split sealed."""
    context_length = spec.architecture.context_length
    return make_windows(
        dataset,
        spec.target,
        spec.split,
        context_length,
        device=device,
        pooled=pooled,
        horizons=spec.architecture.ahead,
    )
