import pytest
from hypothesis import given
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from model.spec.spec import Training
from search.space.drawn import (
    DISTRIBUTION_TRAINING,
    TRAINING,
    contains,
    distribution_of,
    in_order,
    n_values,
    range_text,
    read_range_text,
    training_ranges,
    usual_value,
)
from search.space.ranges import LIMITS, parse_range
from tests.search.space.test_ranges import asked


@given(asked())
def test_a_distribution_reads_back_from_its_words(case):
    name, found = case
    if found.is_fixed:
        return
    distribution = distribution_of(name, found)
    assert read_range_text(range_text(distribution)) == distribution
    assert contains(distribution, usual_value(name, distribution))
    assert type(usual_value(name, distribution)) is type(getattr(Training(), name))


@pytest.mark.parametrize("head", ["binary", "distribution"])
def test_the_usual_ranges_read_back_and_hold_what_forced_trials_have(head):
    for name, each in training_ranges(head).items():
        assert read_range_text(range_text(each)) == each
        assert usual_value(name, each) == getattr(Training(), name)


NO_RANGES = (
    *("", "float", "float 1 to", "float 0.1 up 0.2", "int 1 to x", "int 1 to 9 step", "float 0 to 1 log step 1 2"),
    *("bool 0 to 1", "float 3e-05 to 0.003 log and float 1e-05 to 0.01 log", "one of 1 x", "one of ", "0.5"),
)


@pytest.mark.parametrize("text", NO_RANGES)
def test_words_that_are_not_those_of_one_range_are_no_range(text):
    assert read_range_text(text) is None


@pytest.mark.lesson("L30")
def test_what_is_asked_stands_in_place_of_the_usual_and_what_is_fixed_is_not_drawn():
    chosen = {"label_smoothing": "0:0.1", "dropout": "0.3", "batch_size": "32,64", "learning_rate": "1e-5:1e-3:log"}
    found = training_ranges("binary", {name: parse_range(name, text) for name, text in chosen.items()})
    assert list(found) == ["learning_rate", "weight_decay", "warmup_fraction", "batch_size", "label_smoothing"]
    assert found["learning_rate"] == FloatDistribution(1e-5, 1e-3, log=True)
    assert found["batch_size"] == CategoricalDistribution((32, 64))
    assert found["label_smoothing"] == FloatDistribution(0.0, 0.1)
    assert found["weight_decay"] == TRAINING["weight_decay"] and training_ranges("binary", {}) is TRAINING
    assert training_ranges("distribution") is DISTRIBUTION_TRAINING


def test_the_order_of_drawing_is_that_of_the_limits_and_of_before():
    assert list(TRAINING) == list(DISTRIBUTION_TRAINING) == list(LIMITS)[: len(TRAINING)]
    assert list(in_order(dict(sorted(TRAINING.items())))) == list(TRAINING)


@pytest.mark.parametrize(
    ("distribution", "middle"),
    [
        (FloatDistribution(1e-5, 1e-3, log=True), pytest.approx(1e-4)),
        (FloatDistribution(0.5, 0.9), pytest.approx(0.7)),
        (FloatDistribution(0.5, 0.8, step=0.1), pytest.approx(0.7)),
    ],
)
def test_a_range_without_the_standard_value_has_its_middle(distribution, middle):
    name = "dropout" if distribution.low > 0.1 else "weight_decay"
    assert usual_value(name, distribution) == middle
    assert usual_value("batch_size", CategoricalDistribution((16, 32))) == 32


def test_values_are_counted_where_they_have_an_end():
    assert n_values(IntDistribution(64, 256, step=64)) == 4 and n_values(IntDistribution(1, 64, log=True)) == 64
    assert n_values(CategoricalDistribution((1, 2, 5))) == 3 and n_values(FloatDistribution(0.1, 0.5, step=0.1)) == 5
    assert n_values(FloatDistribution(0.1, 0.5)) is None
