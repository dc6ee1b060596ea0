"""Optuna's storage on a server, patient: see :mod:`search.tracking.patience`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from optuna.exceptions import DuplicatedStudyError
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from search.tracking.held import guarded
from search.tracking.patience import is_away, wait_for

ABOUT = "the scheduling store"
REPEATED = (
    *("set_study_user_attr", "set_study_system_attr", "get_study_id_from_name"),
    *("get_study_name_from_id", "get_study_directions", "get_study_user_attrs", "get_study_system_attrs"),
    *("get_all_studies", "_create_new_trial", "_set_trial_param", "get_trial_id_from_study_id_trial_number"),
    *("_get_best_trial_id", "set_trial_intermediate_value", "set_trial_user_attr", "set_trial_system_attr"),
    *("get_trial", "_get_trials", "_get_stale_trial_ids"),
)
"""Calls that may be made again: what arrived the first time is found, written over, or left to be reconciled."""
WRITES = (
    *("create_new_study", "delete_study", "set_study_user_attr", "set_study_system_attr", "_create_new_trial"),
    *("_set_trial_param", "set_trial_intermediate_value", "set_trial_user_attr", "set_trial_system_attr"),
    *("set_trial_state_values",),
)


class GuardedStorage(RDBStorage):
    """Optuna's storage, whose writes ask first whether the leases of this process are still its own."""


for _name in WRITES:
    setattr(GuardedStorage, _name, guarded(RDBStorage, _name))


class PatientStorage(GuardedStorage):
    """Optuna's storage that asks again where a server did not answer."""

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """Make a study; one that was made although no answer came is found by its name, empty as it was made."""
        create = super().create_new_study

        def again() -> int:
            try:
                return create(directions, study_name)
            except DuplicatedStudyError:
                made = RDBStorage.get_study_id_from_name(self, str(study_name))
                if RDBStorage.get_study_user_attrs(self, made) or RDBStorage.get_all_trials(self, made):
                    raise
                return made

        return int(wait_for(ABOUT, lambda: create(directions, study_name), again))

    def delete_study(self, study_id: int) -> None:
        """Delete a study; one that was deleted although no answer came is not there to be deleted twice."""
        delete = super().delete_study

        def again() -> None:
            with suppress(KeyError):
                delete(study_id)

        wait_for(ABOUT, lambda: delete(study_id), again)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Set the state of a trial; one that was set although no answer came is not set twice."""

        def again() -> bool:
            held = RDBStorage.get_trial(self, trial_id)
            if state.is_finished() and held.state == state and (values is None or held.values == list(values)):
                return True
            return GuardedStorage.set_trial_state_values(self, trial_id, state, values)

        set_it = super().set_trial_state_values
        return bool(wait_for(ABOUT, lambda: set_it(trial_id, state, values), again))

    def record_heartbeat(self, trial_id: int) -> None:
        """Give a sign of life; one that does not arrive is followed by the next."""
        try:
            super().record_heartbeat(trial_id)
        except Exception as error:
            if not is_away(error):
                raise


def _patient(name: str) -> Any:
    function = getattr(GuardedStorage, name)

    def call(self: PatientStorage, *arguments: Any, **named: Any) -> Any:
        return wait_for(ABOUT, lambda: function(self, *arguments, **named))

    call.__name__, call.__doc__ = name, function.__doc__
    return call


for _name in REPEATED:
    setattr(PatientStorage, _name, _patient(_name))
