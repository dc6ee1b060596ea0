from hypothesis import given
from hypothesis import strategies as st

from search.space.counts import DIGITS, LARGEST, plain_count


@given(st.integers(0, LARGEST - 1), st.integers(0, 30))
def test_a_count_is_read_however_many_zeros_stand_before_it(number, zeros):
    assert plain_count("0" * zeros + str(number)) == number


@given(st.one_of(st.text(), st.integers(DIGITS + 1, 10_000).map("9".__mul__)))
def test_anything_else_is_no_count(text):
    assert plain_count(text) is None or (text.isascii() and text.isdecimal() and len(text.lstrip("0")) <= DIGITS)
