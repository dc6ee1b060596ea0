"""A draft: a trial that is drawn before it is stored, so that it can be stored whole."""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.tracking.whole_trial import NOT_STORED


class Draft:
    """A storage in which one trial runs that the one behind it does not hold, or holds as queued.

    Optuna draws and its samplers read here as they would there; what they write of the trial is kept, and all trials
    are read once.

    Parameters
    ----------
    schedule : optuna.Study
        That is asked.
    trials : list of FrozenTrial
        All that it holds, by number.
    queued : FrozenTrial, optional
        One of them, to be begun; a new one is drafted if None.
    user_attrs : mapping
        Of the draft.
    """

    def __init__(
        self,
        schedule: optuna.Study,
        trials: list[FrozenTrial],
        queued: FrozenTrial | None,
        user_attrs: Mapping[str, Any],
    ) -> None:
        self._behind, self._trials = schedule._storage, trials
        self.trial = create_trial(state=TrialState.RUNNING) if queued is None else copy.deepcopy(queued)
        self.trial.state = TrialState.RUNNING
        self.trial.user_attrs |= user_attrs
        if queued is None:
            self.trial.number, self.trial._trial_id = len(trials), NOT_STORED
        self.schedule = copy.copy(schedule)
        self.schedule._storage = self  # type: ignore[assignment]

    def draw(self, distributions: Mapping[str, BaseDistribution]) -> FrozenTrial:
        """Give the draft a value of each parameter, as :meth:`optuna.Study.ask` does."""
        drawn = optuna.Trial(self.schedule, self.trial._trial_id)
        for name, distribution in distributions.items():
            drawn._suggest(name, distribution)
        return self.trial

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Give the draft, or another trial."""
        return copy.deepcopy(self.trial) if trial_id == self.trial._trial_id else self._behind.get_trial(trial_id)

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        """Give those of :meth:`get_trial`."""
        return self.get_trial(trial_id).system_attrs

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Give every trial as it was when the draft was begun, and the draft as it is."""
        number, draft = self.trial.number, copy.deepcopy(self.trial)
        trials = [*self._trials[:number], draft, *self._trials[number + 1 :]]
        found = [each for each in trials if states is None or each.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def set_trial_param(self, trial_id: int, name: str, internal: float, distribution: BaseDistribution) -> None:
        """Take a parameter of the draft.

        Raises
        ------
        ValueError
            If an earlier trial drew it from what can't be mixed with this.
        """
        self._require_draft(trial_id)
        earlier = next((each.distributions[name] for each in self._trials if name in each.distributions), distribution)
        check_distribution_compatibility(earlier, distribution)
        self.trial.distributions[name] = distribution
        self.trial.params[name] = distribution.to_external_repr(internal)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Take an attribute of the draft."""
        self._require_draft(trial_id)
        self.trial.user_attrs[key] = value

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Take one of a sampler's own."""
        self._require_draft(trial_id)
        self.trial.system_attrs[key] = value

    def _require_draft(self, trial_id: int) -> None:
        assert trial_id == self.trial._trial_id, "a sampler writes of the trial that it draws for"
