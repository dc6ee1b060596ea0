"""Finished walk-forwards of a study as forecasts of the same days, for whoever compares them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from model.baselines import BASELINES
from model.spec.spec import Spec
from pipeline.exceptions import InputError
from pipeline.splits.holdout import require_unsealed
from search.evidence.forecasts import ForecastRun, Forecasts, join_forecasts
from search.study.study import Study
from search.tracking.tags import BASELINE_ROLE, FINISHED, RECORD_STATE, TRIAL_ROLE, VALID, WALK_FORWARD_ROLE
from search.trial.baselines import SETTINGS_HASH
from search.walk_forward.runs import (
    FIRST_YEAR,
    LAST_YEAR,
    SEEDS,
    SUBJECT,
    read_days,
    walk_forward_params,
)
from search.walk_forward.subject import Subject

if TYPE_CHECKING:
    from mlflow.entities import Run


def load_walk_forward(
    study: Study, *, years: tuple[int, int] | None = None, run_ids: Sequence[str] | None = None
) -> Forecasts:
    """Read finished, valid walk-forwards that cover the same years.

    Baselines enter with the settings of the study's plan only.  Of several walk-forwards of one spec, that with the
    most seeds enters, of these the newest.

    Parameters
    ----------
    study : Study
        Theirs.
    years : tuple of int, optional
        First and last test year; without them those that most models have, of these the longest.
    run_ids : sequence of str, optional
        Only these runs of specs; all if not given.

    Raises
    ------
    InputError
        If there is none.
    RecordError
        If two do not agree on days or outcomes, or a probability is none.
    SealedError
        If a day is of the test split.
    """
    usable = [
        run
        for run in study.runs(WALK_FORWARD_ROLE, status=FINISHED, tags={RECORD_STATE: VALID})
        if _is_own(study, run) and (run_ids is None or _role(run) == BASELINE_ROLE or run.info.run_id in run_ids)
    ]
    years = years or _most_common_years(usable)
    chosen = _one_each([run for run in usable if years_of(run) == years])
    if not chosen:
        wanted = "" if years is None else f" of {years[0]} to {years[1]}"
        raise InputError(
            f"study {study.plan.study} must have finished walk-forwards{wanted}, got none; "
            f"run patchscale walkforward RUN, and patchscale walkforward baselines --study {study.plan.study}"
        )
    models = [
        ForecastRun(name=run.data.tags[SUBJECT], role=_role(run), run=run, n_params=_n_params(run)) for run in chosen
    ]
    found = join_forecasts(
        [(model, read_days(study, model.run)) for model in models], horizon=study.plan.target.horizon
    )
    require_unsealed(found.dates_D, study.plan.split, "a walk-forward")
    return found


def years_of(run: Run) -> tuple[int, int]:
    """First and last test year of a walk-forward's run."""
    return int(run.data.params[FIRST_YEAR]), int(run.data.params[LAST_YEAR])


def _is_own(study: Study, run: Run) -> bool:
    """Whether a run is of the study's data, target and split, and a baseline's settings those of today."""
    if _role(run) == TRIAL_ROLE:
        spec, plan = Spec.from_params(run.data.params), study.plan
        return (spec.data, spec.target, spec.split) == (plan.data, plan.target, plan.split)
    baseline = BASELINES.get(run.data.params["baseline"])
    if baseline is None:
        return False
    params = walk_forward_params(study, Subject(name="", baseline=baseline), years_of(run), 1)
    return bool(run.data.params[SETTINGS_HASH] == params[SETTINGS_HASH])


def _most_common_years(runs: Sequence[Run]) -> tuple[int, int] | None:
    counts = Counter(years for years, _ in {(years_of(run), _key(run)) for run in runs})
    return max(counts, key=lambda years: (counts[years], years[1] - years[0]), default=None)


def _one_each(runs: Sequence[Run]) -> list[Run]:
    """One run of each subject: specs by number of parameters, then baselines."""
    ordered = sorted(runs, key=lambda run: (int(run.data.params[SEEDS]), run.info.start_time))
    chosen = {_key(run): run for run in ordered}
    return sorted(
        chosen.values(), key=lambda run: (_role(run) == BASELINE_ROLE, _n_params(run) or 0, run.data.tags[SUBJECT])
    )


def _key(run: Run) -> str:
    params = run.data.params
    return str(params["baseline"] if _role(run) == BASELINE_ROLE else params["spec_hash"])


def _role(run: Run) -> str:
    return BASELINE_ROLE if "baseline" in run.data.params else TRIAL_ROLE


def _n_params(run: Run) -> int | None:
    return int(run.data.params["n_params"]) if "n_params" in run.data.params else None
