"""The sampler: draws that depend on the study's seed, the trial's number and the history only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from pipeline.exceptions import InputError

SAMPLERS: Mapping[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed),
    "gp": lambda seed: GPSampler(seed=seed, warn_independent_sampling=False),
    "random": lambda seed: RandomSampler(seed=seed),
}
DEFAULT_SAMPLER = "tpe"


class TrialSeededSampler(BaseSampler):
    """One of Optuna's samplers, made anew for each trial, seeded from the study's seed and the trial's number.

    So it does not matter which worker draws, nor whether the study was
    interrupted and resumed before: a sampler that kept something from one trial
    to the next (the Gaussian process keeps its kernel's last parameters) would
    draw otherwise.  Trials that still run are part of the history: TPE counts
    them as bad, the Gaussian process as points whose value is not known yet.

    Parameters
    ----------
    seed : int
        The study's seed.
    kind : str
        One of :data:`SAMPLERS`.
    """

    def __init__(self, seed: int, kind: str = DEFAULT_SAMPLER) -> None:
        require_sampler(kind)
        self.kind = kind
        self._seed = seed
        self._sampler = SAMPLERS[kind](seed % 2**32)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Seed for this trial."""
        seed = np.random.SeedSequence((self._seed, trial.number)).generate_state(1)[0]
        self._sampler = SAMPLERS[self.kind](int(seed))
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the chosen sampler does."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the chosen sampler does."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As the chosen sampler does."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """As the chosen sampler does."""
        self._sampler.after_trial(study, trial, state, values)


def require_sampler(kind: str) -> None:
    """Refuse a sampler that there is not.

    Raises
    ------
    InputError
        Naming those that there are.
    """
    if kind not in SAMPLERS:
        raise InputError(f"sampler must be one of {', '.join(SAMPLERS)}, got {kind!r}")
