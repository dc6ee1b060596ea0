import pytest

from search.legacy.record.twins import Twins, known_trial, study_key, what_is_new
from search.legacy.recover.architecture import Resolved
from search.legacy.recover.trial import LegacyOutcome, LegacyTrial

RATE, VALUE = 0.00010020362668192803, 0.33694809


def make(form, study="s_2M", number=3, value=VALUE, objective="loss", rate=RATE, d_model=64, **more):
    status = "FINISHED" if value is not None else "KILLED"
    return LegacyTrial(
        form=form,
        where="line 1",
        content="{}",
        study=study,
        number=number,
        training={} if rate is None else {"learning_rate": rate},
        architecture=Resolved(d_model=d_model),
        outcome=LegacyOutcome(status=status, reason="x", objective=objective, value=value),
        **more,
    )


@pytest.fixture
def twins():
    found = Twins()
    found.add(known_trial(make("log A"), run_id="r", experiment_id="1", parent="p", file="s.log"))
    return found


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, True),
        ({"form": "log B"}, False),
        ({"study": "s_2M_2M"}, True),
        ({"study": "t"}, False),
        ({"number": 4}, False),
        ({"number": None}, False),
        ({"value": 0.3369}, True),
        ({"value": 0.3368}, False),
        ({"value": None}, False),
        ({"rate": 0.0001}, True),
        ({"rate": 0.0002}, False),
        ({"rate": None}, True),
        ({"d_model": 128}, False),
        ({"d_model": None}, True),
        ({"objective": "unknown"}, True),
        ({"comparable": False}, False),
        ({"study": None}, True),
        ({"study": None, "rate": None}, False),
        ({"study": None, "rate": 0.0001}, False),
        ({"study": None, "value": 0.337}, False),
    ],
)
def test_who_is_the_same_trial(twins, change, found):
    assert (twins.find(make(**{"form": "json study", **change})) is not None) == found


def test_what_proves_some_trials_of_an_unnamed_file_shows_whose_the_others_are(twins):
    short = {"value": 0.3, "rate": 0.001}
    twins.add(known_trial(make("log A", number=4, **short), run_id="q", experiment_id="1", parent="p", file="s.log"))
    other = make("json list", study=None, number=4, **short)
    assert twins.find(other) is None and twins.find_all([other]) == {}
    assert len(twins.find_all([make("json list", study=None), other])) == 2


def test_two_runs_that_fit_are_none(twins):
    twins.add(known_trial(make("log A"), run_id="q", experiment_id="1", parent="p", file="other.log"))
    assert twins.find(make("json study")) is None


def test_a_result_is_not_named_a_second_time(twins):
    known = twins.by_number[3][0]
    params, metrics = what_is_new(make("json list", objective="unknown", figures={"seconds": 5.0}), known)
    assert (params, metrics) == ({}, {"seconds": 5.0})


def test_only_a_budget_that_stands_twice_is_dropped():
    assert [study_key(name) for name in ("a_2M_h1_2M", "a_2M_h1_20M", "a_2M", None)] == [
        "a_2M_h1",
        "a_2M_h1_20M",
        "a_2M",
        None,
    ]
