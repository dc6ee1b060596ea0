import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.legacy.parse.flat_dict import parse_flat_dict

keys = st.text(st.sampled_from("abcxyz_0"), max_size=8)
values = st.floats(allow_nan=False) | st.integers(-(10**15) + 1, 10**15 - 1) | st.booleans() | st.none() | keys


@given(st.dictionaries(keys, values))
def test_what_python_prints_is_read(record):
    assert parse_flat_dict(str(record)) == record


@given(st.text())
def test_any_text_is_a_flat_dict_or_none(text):
    for given_text in (text, f"{{{text}}}", f"{{'a': {text}}}"):
        found = parse_flat_dict(given_text)
        assert found is None or all(not isinstance(value, dict | list) for value in found.values())


def test_infinite_and_undefined_values():
    found = parse_flat_dict("{'a': inf, 'b': -inf, 'c': nan, 'd': 1e-05}")
    assert found is not None
    assert (found["a"], found["b"], found["d"]) == (math.inf, -math.inf, 1e-05)
    assert math.isnan(found["c"])


@pytest.mark.parametrize(
    "text",
    [
        "{'a': {'b': 1}}",
        "{'a': [1]}",
        "{'a': 1, 'a': 2}",
        "{'a': 1+1}",
        "{'a': __import__('os').system('true')}",
        "{'a': 1,}",
        "{'a' 1}",
        "{a: 1}",
        "{'a': 1",
        "{" * 5000 + "}" * 5000,
        "{'a': '\\x41'}",
        "",
    ],
)
def test_anything_else_is_not_read(text):
    assert parse_flat_dict(text) is None
