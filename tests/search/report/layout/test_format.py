import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.report.layout.format import UNKNOWN, between, fixed, p_text, plural, signed, whole


@given(st.floats(-1e6, 1e6), st.integers(1, 6))
def test_a_figure_reads_back_to_its_last_digit(value, digits):
    for text in (fixed(value, digits), signed(value, digits)):
        assert float(text.replace("−", "-")) == pytest.approx(value, abs=0.50001 * 10**-digits)
        assert "-" not in text
    assert (signed(value, digits)[0] == "+") == (round(value, digits) > 0)


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_not_known_is_said_so(value):
    assert {fixed(value, 3), signed(value, 3), whole(value)} == {UNKNOWN}
    assert p_text(math.nan) == "p unknown"


def test_nought_has_no_sign():
    assert fixed(-0.00001, 3) == signed(0.00001, 3) == signed(-0.00001, 3) == "0.000"
    assert between(-0.1, 0.2, 2) == "[−0.10, 0.20]"
    assert plural(1, "day") == "1 day"
