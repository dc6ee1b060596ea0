"""The points of a scaling fit: measured sizes and daily losses of trials, the same days for all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.exceptions import InputError
from search.scaling.curves import Array, Groups

FEWEST_DAYS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Points:
    """Trials of several budgets on the same days.

    Parameters
    ----------
    budgets : tuple of str
        By size: ``50K``, ``200K``.
    budget_T : ndarray of int, shape (trials,)
        Position of each trial's budget among them.
    n_params_T : ndarray of shape (trials,)
        Counted from the instantiated model.
    losses_TD : ndarray of shape (trials, days)
        Log loss of each trial on each day, in nats.
    names : tuple of str
        Of the trials: ``SPY-50K trial 3``.

    Raises
    ------
    InputError
        If a loss or size is not finite, or all sizes are the same.

    Examples
    --------
    >>> points = Points(
    ...     budgets=("1K", "2K"),
    ...     budget_T=np.array([0, 1]),
    ...     n_params_T=np.array([1000.0, 2000.0]),
    ...     losses_TD=np.full((2, 40), 0.5),
    ...     names=("a", "b"),
    ... )
    >>> points.loss_T
    array([0.5, 0.5])
    """

    budgets: tuple[str, ...]
    budget_T: Groups
    n_params_T: Array
    losses_TD: Array
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        n_trials, n_days = self.losses_TD.shape
        assert len(self.budget_T) == len(self.n_params_T) == len(self.names) == n_trials
        assert set(np.unique(self.budget_T)) == set(range(len(self.budgets)))
        broken = [
            name
            for name, size, losses in zip(self.names, self.n_params_T, self.losses_TD, strict=True)
            if not (np.isfinite(size) and size > 0 and np.isfinite(losses).all() and losses.min() >= 0)
        ]
        if broken:
            raise InputError(
                f"losses must be finite and at least 0, sizes finite and above 0, got others of {', '.join(broken)}; "
                "a trial that diverged is no evidence, leave it out"
            )
        if n_days < FEWEST_DAYS:
            raise InputError(f"a scaling fit must have at least {FEWEST_DAYS} days, got {n_days}; widen the validation")
        if n_trials > 1 and np.ptp(self.n_params_T) == 0:
            raise InputError(
                f"sizes must differ for loss to be compared with size, got {n_trials} trials of "
                f"{int(self.n_params_T[0]):,} parameters; give studies of several budgets"
            )

    @property
    def loss_T(self) -> Array:
        """Mean loss of each trial."""
        return self.losses_TD.mean(axis=1)

    @property
    def n_days(self) -> int:
        """Days that every trial is scored on."""
        return self.losses_TD.shape[1]

    @property
    def counts(self) -> tuple[int, ...]:
        """Trials of each budget."""
        return tuple(map(int, np.bincount(self.budget_T)))

    def equal_effort(self) -> Points:
        """Keep the first trials of every budget, as many of each as the least searched one has.

        A search gets better as it goes on, so the trials of a long one are not
        comparable with those of a short one: neither their best, nor their mean.
        """
        fewest = min(self.counts)
        rank_T = np.array([np.sum(self.budget_T[:t] == budget) for t, budget in enumerate(self.budget_T)])
        return self.rows(np.flatnonzero(rank_T < fewest))

    def rows(self, index: Groups) -> Points:
        """Keep some of the trials."""
        return replace(
            self,
            budget_T=self.budget_T[index],
            n_params_T=self.n_params_T[index],
            losses_TD=self.losses_TD[index],
            names=tuple(self.names[t] for t in index),
        )
