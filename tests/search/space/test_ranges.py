import subprocess
import sys
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.spec.spec import Training
from pipeline.exceptions import InputError
from search.space.ranges import AUTO, LIMITS, WHOLE, Range, parse_range, read_range

names = st.sampled_from(sorted(LIMITS))


@st.composite
def asked(draw):
    """A setting, and anything that may be asked of it."""
    name = draw(names)
    whole = name in WHOLE
    value = st.integers(1, 4096) if whole else st.floats(1e-9, 0.999)
    kind = draw(st.sampled_from(["values", "range", "step"]))
    if kind == "values":
        return name, Range(values=tuple(draw(st.lists(value, min_size=1, max_size=5, unique=True))))
    if kind == "step":
        low, step, count = draw(st.integers(1, 50)), draw(st.integers(1, 9)), draw(st.integers(1, 9))
        if whole:
            return name, Range(low=low, high=low + count * step, step=step)
        return name, Range(low=low / 1000, high=(low + count * step) / 1000, step=step / 1000)
    low, high = sorted(draw(st.lists(value, min_size=2, max_size=2, unique=True)))
    return name, Range(low=low, high=high, log=draw(st.booleans()))


@given(asked())
def test_a_range_reads_back_as_it_is_written(case):
    name, found = case
    assert parse_range(name, found.text()) == found
    assert read_range(name, found.text()) == found.text()


def test_it_is_written_in_one_form_however_it_is_typed():
    assert read_range("learning_rate", " 1e-5 : 1E-3 : log") == "1e-05:0.001:log"
    assert read_range("batch_size", "64, 128") == "64,128" and read_range("dropout", ".5") == "0.5"
    assert read_range("weight_decay", "-0") == "0.0" and read_range("batch_size", AUTO) == AUTO


@given(names, st.floats() | st.integers(-3, 3))
def test_a_value_may_be_asked_for_where_a_spec_takes_it_and_only_there(name, value):
    value = int(value) if name in WHOLE and value == value and abs(value) < 1e9 else value
    try:
        Training(**{name: value})
        taken = True
    except InputError:
        taken = False
    try:
        parse_range(name, str(value))
        asked = True
    except InputError:
        asked = False
    assert asked == taken


def test_every_setting_is_one_of_a_training_and_its_example_can_be_asked_for():
    assert set(LIMITS) <= {each.name for each in fields(Training)}
    assert all(not parse_range(name, limit.example).is_fixed for name, limit in LIMITS.items())


@pytest.mark.lesson("L34")
@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("dropout", "0.5:0.1", "dropout must be LOW:HIGH with LOW below HIGH, or one value, got '0.5:0.1'"),
        ("dropout", "0.5:0.5", "LOW below HIGH, or one value"),
        ("dropout", "1", "dropout must be in [0, 1), got '1'; for instance --dropout 0.1:0.5"),
        ("dropout", "0.1:1", "must be in [0, 1)"),
        ("dropout", "0.1,1.5", "must be in [0, 1)"),
        ("dropout", "nan", "must be in [0, 1)"),
        (
            "learning_rate",
            "0:1e-3",
            "must be positive and finite, got '0:1e-3'; for instance --learning-rate 1e-5:1e-3:log",
        ),
        ("learning_rate", "inf", "must be positive and finite"),
        ("weight_decay", "0:0.1:log", "must begin above 0 where it is searched in logarithms, got '0:0.1:log'"),
        ("batch_size", "0", "batch_size must be a whole number, at least 1, got '0'"),
        ("batch_size", "64.5", "of whole numbers, got '64.5'"),
        ("batch_size", "64:256:0", "must have a STEP that leads from LOW to HIGH"),
        ("batch_size", "64:256:100", "must have a STEP that leads from LOW to HIGH, got '64:256:100'"),
        ("batch_size", "2:4:0.5", "must have a STEP that leads from LOW to HIGH"),
        ("batch_size", "64,64", "must be choices, each once, got '64,64'"),
        ("label_smoothing", "a:b", "must be auto, a value, choices separated by commas, LOW:HIGH, LOW:HIGH:log or"),
        ("label_smoothing", "0:0.1:linear", "LOW:HIGH:log or LOW:HIGH:STEP, got"),
        ("label_smoothing", "0:0.1:log:2", "must be auto, a value"),
        ("label_smoothing", "0:0.1,0.2", "must be auto, a value"),
        ("label_smoothing", "0:0.1:nan", "must have a STEP"),
        ("weight_average", "", "must be auto, a value"),
        ("attention_dropout", "0.1:", "must be auto, a value"),
        ("warmup_fraction", "many", "for instance --warmup-fraction 0:0.3"),
    ],
)
def test_what_can_not_be_asked_for_is_refused_by_rule_value_and_remedy(name, text, words):
    with pytest.raises(InputError) as refused:
        read_range(name, text)
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_reading_loads_nothing_slow():
    probe = "import sys, search.space.ranges; print([m for m in ('optuna', 'pandas', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True).stdout.strip() == "[]"
