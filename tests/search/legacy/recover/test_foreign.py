from dataclasses import replace
from datetime import UTC, datetime

import pytest

from search.legacy.recover.column_map import read_map
from search.legacy.recover.foreign import ForeignTrial, build_foreign

TRIAL = ForeignTrial(
    form="optuna",
    where="trial 0",
    study="theirs_2M_h3",
    origin="x",
    number=0,
    state="COMPLETE",
    params={"d_model": 64, "d_ff_ratio": 4, "heads": 8, "depth": {"a": 1}},
    attributes={"val_auc": 0.7, "seed": 1},
    values=[0.3],
    directions=["minimize"],
)


def build(columns=(), **changes):
    return build_foreign(replace(TRIAL, **changes), read_map(columns))


@pytest.mark.lesson("L3")
def test_nothing_is_guessed():
    trial = build()
    a = trial.architecture
    assert (a.d_model, a.n_layers, a.n_heads, a.d_ff, a.d_ff_origin) == (
        64,
        None,
        None,
        256,
        "d_model times d_ff_ratio",
    )
    assert (trial.budget, trial.horizon) == (None, None), "somebody else's name says nothing of a budget"
    assert trial.settings == {"heads": "8", "depth": '{"a": 1}'}
    assert (trial.outcome.objective, trial.outcome.value, trial.flags) == ("unknown", 0.3, ())
    assert build(["n_heads=heads"]).architecture.n_heads == 8


def test_what_a_trial_is_does_not_depend_on_where_it_was_found():
    same = build(where="elsewhere", started=datetime(2026, 1, 1, tzinfo=UTC), form="optuna")
    assert same.fingerprint == build().fingerprint
    for change in (
        {"params": {}},
        {"values": [0.4]},
        {"state": "PRUNED"},
        {"number": 1},
        {"study": "other"},
        {"attributes": {}},
    ):
        assert build(**change).fingerprint != build().fingerprint


def test_names_that_mlflow_cannot_hold_are_changed_and_none_is_lost():
    settings = build(params={"a,b": 1, "a;b": 2, "a_b": 3, "": 4}).settings
    assert settings == {"a_b": "1", "a_b 2": "2", "a_b 3": "3", "unnamed": "4"}


def test_times_are_kept_and_the_end_follows_from_a_duration():
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    trial = build(started=begun, seconds=2.5)
    assert trial.ended - trial.started == 2500
    assert build(ended=begun).started is None


def test_a_trial_that_has_ended_since_takes_the_place_of_the_one_that_ran():
    assert build(state="RUNNING", values=[]).start == build().start != build(number=1).start
    assert build(origin="").start == ""
