"""The trial that a version is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from model.network.checkpoint import load_checkpoint
from model.network.patchtst import PatchTST
from model.spec.spec import Spec
from pipeline.exceptions import InputError, RecordError
from search.results.named_trial import choose_finished
from search.results.trial_runs import RecordedTrial
from search.results.weights import BEGUN
from search.study.study import ALL
from search.tracking.artifacts import (
    DELETED,
    PREDICTIONS,
    PUT_BACK,
    checkpoint_bytes,
    checkpoints_of,
    fetch_artifact,
    lost_in_words,
    read_artifact,
)
from search.tracking.tags import RESTORED

if TYPE_CHECKING:
    from search.study.study import Study


@dataclass(frozen=True, kw_only=True, slots=True)
class BestTrial:
    """A finished trial whose record can be trusted.

    Parameters
    ----------
    trial : RecordedTrial
        As the record holds it.
    spec : Spec
        Of its run.
    n_epochs : int
        Epoch of the best weights.
    of : int
        Finished trials that it was chosen among.
    """

    trial: RecordedTrial
    spec: Spec
    n_epochs: int
    of: int


def choose_trial(study: Study, number: int | None = None) -> BestTrial:
    """Take the finished trial of the lowest validation loss, or the one of this number.

    Raises
    ------
    InputError
        If there is none, it did not finish, or its record is not that of its spec.
    StoreError
        If the run of a finished trial was deleted: the best of the others would be another.
    """
    trial, n_usable = choose_finished(study, number, "a version is made of a finished trial")
    assert trial.spec is not None
    return BestTrial(trial=trial, spec=trial.spec, n_epochs=int(trial.run.data.metrics["best/epoch"]), of=n_usable)


def own_weights(study: Study, best: BestTrial) -> list[tuple[Spec, PatchTST]]:
    """Load the trial's checkpoints, one a seed; of folds those of the last.

    Raises
    ------
    InputError
        If it was deleted.
    RecordError
        If it holds another spec than its run.
    """
    if checkpoint_bytes(study.client, best.trial.run) is None:
        raise InputError(_without_weights(study, best))
    names, specs = checkpoints_of(best.trial.run), own_specs(best.spec)
    return [_weights(study, best, name, spec) for name, spec in zip(names, specs, strict=True)]


def own_specs(spec: Spec) -> tuple[Spec, ...]:
    """Specs of the weights that a trial keeps: one a seed, each with its own."""
    return tuple(replace(spec, seed=seed, n_seeds=1) for seed in spec.seeds) if spec.n_seeds > 1 else (spec,)


def _weights(study: Study, best: BestTrial, name: str, own: Spec) -> tuple[Spec, PatchTST]:
    with TemporaryDirectory() as directory:
        path = fetch_artifact(study.client, best.trial.run, name, Path(directory))
        if path is None:
            raise InputError(_without_weights(study, best))
        spec, model = load_checkpoint(path)
    if spec != own:
        raise RecordError(
            f"the checkpoint of {best.trial.name} must hold its run's spec, got {spec.hash}; choose another"
        )
    return spec, model


def _without_weights(study: Study, best: BestTrial) -> str:
    """Say why a trial keeps no weights, and what to do."""
    tags = study.client.get_run(best.trial.run_id).data.tags
    refit = "leave out --as-is: a refit needs the spec alone"
    rule = f"a trial taken as it is must have its checkpoint, {best.trial.name} keeps none"
    if DELETED in tags:
        reason = tags[DELETED].removeprefix(BEGUN)
        again = f"or train it again in a new study: patchscale hpo --study NAME --keep {ALL}"
        return f"{rule} (let go on purpose, {reason}: --keep and patchscale gc do that); {refit}, {again}"
    if RESTORED in tags:
        return f"{rule} (its record was restored without artifacts); {refit}"
    return f"{rule} (nobody let it go: it was lost); {PUT_BACK}, or {refit}"


def validation_predictions(study: Study, best: BestTrial) -> pd.DataFrame:
    """Read date, outcome and probability of every validation day, as the trial stored them.

    Raises
    ------
    RecordError
        If they are gone.
    """
    rule = f"{best.trial.name} must keep its validation predictions, {PREDICTIONS} is gone"
    held = read_artifact(study.client, best.trial.run, PREDICTIONS)
    if held is None:
        raise RecordError(lost_in_words(study.client, best.trial.run, PREDICTIONS, rule, "choose another trial"))
    return pd.read_parquet(BytesIO(held))
