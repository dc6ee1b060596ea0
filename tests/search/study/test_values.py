"""Values as users type them."""

import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exceptions import InputError
from search.study import values


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (lambda name, text: values.whole_number(name, text, 0, 9), "9", 9),
        (values.fraction, "-1e-3", -0.001),
        (values.duration, "1d2h", 93_600.0),
        (values.duration, "", None),
        (values.tickers, " SPY ,^VIX", ("SPY", "^VIX")),
        (values.process_count, "auto", "auto"),
        (values.study_name, "", ""),
        (values.any_text, "", ""),
        (values.reason, "because  of\nthat", "because of that"),
    ],
)
def test_what_obeys_the_rule_is_read(read, text, value):
    assert read("option", text) == value


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        (lambda name, text: values.whole_number(name, text, 0, 9), "10", "a whole number from 0 to 9, got '10'"),
        (lambda name, text: values.whole_number(name, text, 1), "0", "a whole number, at least 1, got '0'"),
        (values.fraction, "nan", "a fraction, got 'nan'"),
        (values.duration, "0s", "a length of time as in 90s"),
        (values.tickers, "SPY,", "tickers, each once, separated by commas, got 'SPY,'"),
        (values.process_count, "²", "auto or a whole number, at least 1, got '²'"),
        (values.study_name, "a/b", "up to 120 letters"),
        *((values.study_name, "." * count, "not dots alone") for count in (1, 2, 3)),
        (values.one_of("a", "b"), "c", "one of a, b, got 'c'"),
        (values.reason, " ", "say why, got nothing"),
    ],
)
def test_what_breaks_a_rule_is_answered_with_rule_and_value(read, text, words):
    with pytest.raises(InputError, match=r"^option must ") as refused:
        read("option", text)
    assert words in str(refused.value)


@given(st.integers(0, 10**8).map(lambda tenths: tenths / 10))
def test_a_duration_never_says_less_than_it_is_and_at_most_one_of_its_smaller_unit_more(seconds):
    size = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    words = values.duration_text(seconds).split()
    said = sum(int(count) * size[unit] for count, unit in zip(words[::2], words[1::2], strict=True))
    assert seconds <= said < seconds + size[words[-1]]


def test_durations_have_units_that_fit():
    expected = ["1 s", "59 s", "1 min", "1 h 30 min", "1 d 0 h"]
    assert [values.duration_text(seconds) for seconds in (0.4, 59, 60, 5400, 86_400)] == expected


@given(st.text(alphabet="./~ a-", max_size=6))
def test_a_study_is_never_named_like_another_directory(name):
    try:
        read = values.study_name("study", name)
    except InputError:
        return
    assert read == "" or os.path.normpath(f"reports/{read}") == f"reports/{read}"


READERS = (
    lambda name, text: values.whole_number(name, text, 0),
    lambda name, text: values.whole_number(name, text, 0, 2**63 - 1),
    values.duration,
    values.kept_trials,
    values.process_count,
    values.gpu_share,
    values.fraction,
    values.rise,
)


@pytest.mark.parametrize("read", READERS)
@given(st.integers(20, 6_000), st.sampled_from(["", "d", "s", ".5", "e400"]))
def test_a_number_that_nothing_can_hold_is_refused_or_a_finite_float(read, digits, unit):
    try:
        value = read("option", "9" * digits + unit)
    except InputError as refused:
        assert "\n" not in str(refused)
    else:
        assert isinstance(value, float)
        assert math.isfinite(value)
