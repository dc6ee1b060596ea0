"""How much the seed alone changes a loss: from whatever the record holds that differs in nothing else."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from search.tracking.artifacts import read_artifact
from search.tracking.reader import find_runs, matching
from search.tracking.tags import FINISHED, RECORD_STATE, ROLE, TRIAL_ROLE, VALID, WALK_FORWARD_ROLE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from mlflow.entities import Run

    from search.study.study import Study

WALKED = "predictions/walkforward.parquet"
SEED_COLUMN, MANY_SEEDS = "p_seed", "walkforward.seeds"
SEED_PARAMS = ("seed", "spec_hash")
LOSS = "best/loss"


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedNoise:
    """Scatter of repeated seeds.

    Parameters
    ----------
    deviation : float
        Pooled standard deviation of the loss among what differs in the seed alone.
    source : str
        What that was, in words.
    """

    deviation: float
    source: str


def seed_noise(study: Study) -> SeedNoise | None:
    """Measure the noise of a study's seeds from trials of one spec, else from its walk-forwards; None without any.

    Trials are those of every study in the experiment.  A walk-forward refits a spec with several seeds for each year:
    there it is the scatter of a year's mean loss.
    """
    trials = find_runs(study.client, [study.experiment_id], matching({ROLE: TRIAL_ROLE}, status=FINISHED))
    plan = study.plan
    own = [run for run in trials if run.data.params.get("budget") == plan.budget]
    return trials_noise(own) or _walked_noise(study)


def trials_noise(runs: Iterable[Run]) -> SeedNoise | None:
    """Pool the scatter of trials whose params are equal but for the seed."""
    groups: dict[str, dict[str, float]] = defaultdict(dict)
    for run in runs:
        params, loss = run.data.params, run.data.metrics.get(LOSS)
        if loss is None or "seed" not in params:
            continue
        same = json.dumps(sorted((k, v) for k, v in params.items() if k not in SEED_PARAMS))
        groups[same][params["seed"]] = loss
    repeated = [list(losses.values()) for losses in groups.values() if len(losses) > 1]
    if not repeated:
        return None
    n = sum(map(len, repeated))
    return SeedNoise(deviation=pooled_deviation(repeated), source=f"{n} trials that differ in the seed alone")


def pooled_deviation(groups: Sequence[Sequence[float]]) -> float:
    """Pool the standard deviation within groups, each about its own mean.

    Examples
    --------
    >>> round(pooled_deviation([[0.40, 0.42], [0.5, 0.5]]), 6)
    0.01
    """
    means = [sum(group) / len(group) for group in groups]
    squares = sum((each - mean) ** 2 for group, mean in zip(groups, means, strict=True) for each in group)
    return float((squares / sum(len(group) - 1 for group in groups)) ** 0.5)


def _walked_noise(study: Study) -> SeedNoise | None:
    """Pool the scatter of the seeds' mean losses of a year, over the years of the study's walk-forwards."""
    groups: list[list[float]] = []
    n_seeds = 0
    for run in study.runs(WALK_FORWARD_ROLE, status=FINISHED, tags={RECORD_STATE: VALID}):
        if int(run.data.params.get(MANY_SEEDS, "1")) < 2:
            continue
        held = read_artifact(study.client, run, WALKED)
        if held is None:
            continue
        years = yearly_losses(held)
        groups += years
        n_seeds = max(n_seeds, *map(len, years), 0)
    if not groups:
        return None
    return SeedNoise(
        deviation=pooled_deviation(groups), source=f"{n_seeds} seeds of a walk-forward, a year's mean loss"
    )


def yearly_losses(predictions: bytes) -> list[list[float]]:
    """Mean log loss of every seed, year by year, from the predictions of a walk-forward as they are kept."""
    import numpy as np
    import pandas as pd

    days = pd.read_parquet(BytesIO(predictions))
    seeds = [name for name in days.columns if name.startswith(SEED_COLUMN)]
    if len(seeds) < 2:
        return []

    def losses(year: pd.DataFrame) -> list[float]:
        y_D1: npt.NDArray[np.float64] = year[["y"]].to_numpy(dtype=np.float64)
        p_DS = np.clip(year[seeds].to_numpy(dtype=np.float64), 1e-12, 1 - 1e-12)
        return [float(each) for each in -np.where(y_D1 > 0.5, np.log(p_DS), np.log1p(-p_DS)).mean(0)]

    return [losses(year) for _, year in days.groupby("year")]
