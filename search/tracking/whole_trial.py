"""A trial is stored whole: its place in the study, its state and every parameter in one transaction.

Optuna commits each of them by itself, and each time a server waits for its disk.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from optuna.distributions import distribution_to_json
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState

from search.tracking.patience import wait_for

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

ABOUT = "the scheduling store"
NOT_STORED = -1
"""Id of a trial that no storage holds yet."""


class TakenError(Exception):
    """Another process took a trial's number, or began the queued trial."""


def store_whole(storage: BaseStorage, study_id: int, trial: FrozenTrial) -> int:
    """Store a trial that begins to run.

    Parameters
    ----------
    storage : BaseStorage
        Of a database.
    study_id : int
        Of its study.
    trial : FrozenTrial
        With the number that it was drawn for, and with the id of the queued trial that it was, else
        :data:`NOT_STORED`.

    Returns
    -------
    int
        Its id.

    Raises
    ------
    TakenError
        If it can't be this trial any more; nothing is stored then.
    """
    backend = storage._backend if isinstance(storage, _CachedStorage) else storage
    assert isinstance(backend, RDBStorage)

    def again() -> int:
        held = _find(backend, study_id, trial.number)
        return held._trial_id if held is not None and _is_same(held, trial) else _store(backend, study_id, trial)

    return int(wait_for(ABOUT, lambda: _store(backend, study_id, trial), again))


def _store(backend: RDBStorage, study_id: int, trial: FrozenTrial) -> int:
    from optuna.storages._rdb import models

    with _create_scoped_session(backend.scoped_session) as session:
        row = _add(session, study_id, trial) if trial._trial_id == NOT_STORED else _begin(session, trial)
        held = {each.param_name for each in row.params}
        session.add_all(
            models.TrialParamModel(
                trial_id=row.trial_id,
                param_name=name,
                param_value=trial.distributions[name].to_internal_repr(value),
                distribution_json=distribution_to_json(trial.distributions[name]),
            )
            for name, value in trial.params.items()
            if name not in held
        )
        for model, kept, wanted in (
            (models.TrialUserAttributeModel, row.user_attributes, trial.user_attrs),
            (models.TrialSystemAttributeModel, row.system_attributes, trial.system_attrs),
        ):
            there = {each.key: each for each in kept}
            for key, value in wanted.items():
                if key in there:
                    there[key].value_json = json.dumps(value)
                else:
                    session.add(model(trial_id=row.trial_id, key=key, value_json=json.dumps(value)))
        return int(row.trial_id)


def _add(session: Session, study_id: int, trial: FrozenTrial) -> Any:
    """Make the row of a new trial; who else makes one in this study waits."""
    from optuna.storages._rdb import models

    models.StudyModel.find_or_raise_by_id(study_id, session, for_update=True)
    row = models.TrialModel(study_id=study_id, state=TrialState.RUNNING, datetime_start=datetime.now())
    session.add(row)
    session.flush()
    row.number = row.count_past_trials(session)
    if row.number != trial.number:
        raise TakenError
    return row


def _begin(session: Session, trial: FrozenTrial) -> Any:
    """Set a queued trial to RUNNING, unless that was done."""
    from optuna.storages._rdb import models

    queued = session.query(models.TrialModel).filter_by(trial_id=trial._trial_id, state=TrialState.WAITING)
    if not queued.update({"state": TrialState.RUNNING}):
        raise TakenError
    row = models.TrialModel.find_or_raise_by_id(trial._trial_id, session)
    row.datetime_start = datetime.now()
    return row


def _find(backend: RDBStorage, study_id: int, number: int) -> FrozenTrial | None:
    try:
        return backend.get_trial(backend.get_trial_id_from_study_id_trial_number(study_id, number))
    except KeyError:
        return None


def _is_same(held: FrozenTrial, trial: FrozenTrial) -> bool:
    """Whether a trial is the one that was sent, though no answer came."""
    return (held.state, held.params, held.user_attrs) == (TrialState.RUNNING, trial.params, trial.user_attrs)
