from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.files.faults import Faults
from pipeline.sources.files.numbers import read_numbers

VALUES = st.lists(st.decimals(0, 10**7, places=3), min_size=1, max_size=12)


def reading(decimal="", **columns):
    faults = Faults()
    length = len(next(iter(columns.values())))
    values, said = read_numbers(
        {name: pd.Series(cells, dtype=object) for name, cells in columns.items()},
        range(2, length + 2),
        decimal=decimal,
        faults=faults,
        source="csv:DIR?adjusted=no",
    )
    return {name: each.tolist() for name, each in values.items()}, said, faults.found


def comma(text):
    return text.translate(str.maketrans(",.", ".,"))


@pytest.mark.lesson("L38")
@given(values=VALUES, places=st.integers(0, 3), grouped=st.booleans(), swap=st.booleans())
def test_numbers_are_read_as_they_were_written_or_refused(values, places, grouped, swap):
    cells = [f"{value:{',' if grouped else ''}.{places}f}" for value in values]
    written = [comma(cell) if swap else cell for cell in cells]
    found, _, faults = reading(close=written)
    if faults:
        assert "must have one reading" in faults[0] and "add &decimal=point or &decimal=comma" in faults[0]
        found, _, faults = reading("comma" if swap else "point", close=written)
    assert faults == []
    assert found["close"] == [float(cell.replace(",", "")) for cell in cells]


@pytest.mark.lesson("L38")
@pytest.mark.parametrize(("cell", "point", "decimal_comma"), [("1.234", 1.234, 1234.0), ("1,234", 1234.0, 1.234)])
def test_a_sign_that_can_be_two_things_is_read_as_none(cell, point, decimal_comma):
    _, _, (fault,) = reading(close=[cell, "12"])
    assert f"{point:g} with a decimal point or {decimal_comma:g} with a decimal comma" in fault and "line 2" in fault
    assert reading("point", close=[cell])[0]["close"] == [point]
    assert reading("comma", close=[cell])[0]["close"] == [decimal_comma]


def test_one_column_decides_for_all():
    found, said, faults = reading(close=["1.234", "1.235"], volume=["1.234.567", "12"])
    assert found["close"] == [1234.0, 1235.0] and faults == [] and said == ("thousands apart by points",)


def test_two_signs_in_a_file_are_refused_by_place():
    _, _, faults = reading(open=["1.25", "1.50"], close=["1,25", "2.75"])
    assert faults == ["close must be a number with a decimal point as the others are, got line 2 '1,25'"]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("$1,234.50", 1234.5),
        ("1 234,50 €", 1234.5),
        ("1 234,50", 1234.5),
        ("1'234.50", 1234.5),
        ("USD 12.5", 12.5),
        ("-$12.50", -12.5),
        ("+12.5", 12.5),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("12,34,567.8", 1234567.8),
    ],
)
def test_forms_of_a_number(cell, value):
    found, _, faults = reading(close=[cell])
    assert (found["close"], faults) == ([value], [])


@pytest.mark.parametrize(
    ("cell", "value"), [("1.23M", 1.23e6), ("7.5B", 7.5e9), ("12k", 12e3), ("1,2T", 1.2e12), ("-", math.nan)]
)
def test_units_of_a_volume(cell, value):
    found, _, faults = reading(volume=[cell])
    assert found["volume"] == pytest.approx([value], nan_ok=True, rel=0) and faults == []


@pytest.mark.parametrize("cell", ["abc", "12%", "1.2.3", "12p", "1.5M", "--5", "5 6 7x", "1,23,4"])
def test_what_is_no_price_is_named_with_its_place(cell):
    _, _, (fault,) = reading(close=["1.5", cell, "2.5"])
    assert f"line 3 {cell!r}" in fault


def test_two_currencies_are_refused():
    _, _, (fault,) = reading(close=["$1.50", "€2.50"])
    assert "one currency, got $, €" in fault


def test_values_of_a_typed_file_are_taken_as_they_are():
    faults = Faults()
    values, said = read_numbers({"close": pd.Series([1.25, None])}, (1, 2), decimal="", faults=faults, source="")
    assert values["close"][0] == 1.25 and math.isnan(values["close"][1]) and said == ("numbers of the file's own type",)
