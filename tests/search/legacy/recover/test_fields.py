import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.legacy.recover.fields import LARGEST, Fields, canonical, printable, read_number

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.floats())
def test_a_float_survives_its_text(value):
    found = read_number(repr(value))
    assert found == value or math.isnan(value)


@given(plain)
def test_any_value_is_a_number_or_none(value):
    assert read_number(value) is None or isinstance(read_number(value), float)


@pytest.mark.parametrize("value", [True, False, None, "", "1,000", "0x10", "1_000", "٣", "9" * 31, "1e99999", 10**400])
def test_what_is_no_number(value):
    assert read_number(value) is None


@given(st.text(st.characters(exclude_categories=())))
def test_printable_text_is_printable_bounded_and_storable(text):
    safe = printable(text, 50)
    assert safe.isprintable()
    assert len(safe) <= 50
    safe.encode()


@pytest.mark.slow
@given(st.dictionaries(st.text(), plain))
def test_canonical_is_stable_and_storable(record):
    text = canonical(record)
    assert text.isascii()
    assert canonical(json.loads(text)) == text


@given(plain)
def test_any_field_is_read_or_flagged_or_absent(value):
    fields = Fields({"x": value})
    for found, kind in ((fields.whole("x"), int), (fields.number("x"), float), (fields.text("x"), str)):
        assert found is None or type(found) is kind
    assert fields.whole("y") is None


@pytest.mark.lesson("L3")
def test_absence_is_none_and_zero_is_a_value():
    fields = Fields({"number": 0, "dropout": 0.0, "budget": None, "study": ""})
    assert fields.whole("number", least=0) == 0
    assert fields.finite("dropout") == 0.0
    assert (fields.text("budget"), fields.text("study"), fields.whole("n_heads")) == (None, None, None)
    assert fields.flags == []


@pytest.mark.parametrize("value", ["64.5", 64.5, 0, -8, "many", True, LARGEST * 10, [64], {"d": 64}, math.nan])
def test_a_wrong_value_is_left_out_and_flagged(value):
    fields = Fields({"d_model": value})
    assert fields.whole("d_model") is None
    assert fields.flags[0].startswith("d_model must be a whole number from 1")


def test_sources_that_disagree_are_absence_and_a_flag():
    fields = Fields({"lr": 0.1}, {"learning_rate": 0.2})
    assert fields.finite("learning_rate", "lr") is None
    assert fields.flags == ["learning_rate is said to be 0.2 and 0.1; left out"]


def test_sources_that_agree_are_one_answer():
    assert Fields({"d_model": 64}, {"d_model": "64.0"}).whole("d_model") == 64
