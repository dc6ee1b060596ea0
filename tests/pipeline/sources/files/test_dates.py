from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.sources.files.dates import NAMED, NUMERIC, read_dates
from pipeline.sources.files.faults import Faults

DAYS = st.lists(st.dates(date(1930, 1, 1), date(2026, 1, 1)), min_size=1, max_size=30, unique=True)
WRITTEN = {form.label: form.format for form in (*NUMERIC, *NAMED)}


def reading(cells, order="", zone=None):
    faults = Faults()
    dates, said = read_dates(
        pd.Series(cells, dtype=object),
        range(2, len(cells) + 2),
        order=order,
        zone=zone,
        faults=faults,
        source="csv:DIR?adjusted=no",
    )
    return [None if pd.isna(day) else day.date() for day in dates], said, faults.found


@pytest.mark.lesson("L38")
@given(days=DAYS, label=st.sampled_from([label for label in WRITTEN if "yyyy" in label]))
def test_a_column_is_read_as_it_was_written_or_refused(days, label):
    """It is never read in another way than the one in which it was written."""
    found, said, faults = reading([day.strftime(WRITTEN[label]) for day in days])
    if faults:
        assert "must have one reading" in faults[0] and label in faults[0] and "&dates=" in faults[0]
    else:
        assert found == days and said.startswith("dates ")


@pytest.mark.slow
@pytest.mark.lesson("L38")
@given(days=st.lists(st.dates(date(1990, 1, 1), date(2026, 1, 1)), min_size=1, max_size=30))
def test_what_can_be_read_in_two_ways_is_read_in_none_until_the_order_is_said(days):
    days = [day.replace(day=day.day % 12 + 1) for day in days]
    assume(any(day.day != day.month for day in days))
    cells = [day.strftime("%d/%m/%Y") for day in days]
    _, _, (fault,) = reading(cells)
    assert "dd/mm/yyyy (" in fault and "mm/dd/yyyy (" in fault
    assert "add &dates=dmy or &dates=mdy to csv:DIR?adjusted=no" in fault
    assert reading(cells, "dmy")[::2] == (days, [])
    swapped = [date(day.year, day.day, day.month) for day in days]
    assert reading(cells, "mdy")[::2] == (swapped, [])


@pytest.mark.lesson("L38")
def test_two_formats_in_a_column_are_refused_with_an_example_of_each():
    _, _, (fault,) = reading(["13/01/2015", "14/01/2015", "01/25/2015"])
    assert "'13/01/2015' (line 2), which is only dd/mm/yyyy" in fault
    assert "'01/25/2015' (line 4), which is only mm/dd/yyyy" in fault
    _, _, (fault,) = reading(["2015-01-13", "2015-01-14", "15/01/2015"])
    assert "only yyyy-mm-dd" in fault and "only dd/mm/yyyy" in fault


def test_an_order_that_the_dates_do_not_have_is_refused():
    _, _, (fault,) = reading(["2015-01-13", "2015-01-14"], "dmy")
    assert "in the order dmy" in fault and "'2015-01-13'" in fault


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_seconds_since_1970_are_read_in_a_plausible_range_only(unit):
    days = pd.DatetimeIndex(["1962-01-02", "1970-01-01", "2015-01-02"])
    cells = [str(value) for value in days.as_unit(unit).astype("int64")]
    assert reading(cells)[0] == [day.date() for day in days]
    assert reading([f"{cells[-1]}.0"])[0] == [date(2015, 1, 2)]


@pytest.mark.parametrize(
    "cells", [["0", "1", "2"], ["39449", "39450"], ["20081301"], ["5000000000"], ["first", "second"], ["1.5"]]
)
def test_numbers_that_are_no_dates_are_refused(cells):
    _, _, (fault,) = reading(cells)
    assert f"got {cells[0]!r}" in fault and "name the right column date" in fault


@pytest.mark.parametrize(
    "cells",
    [
        ["Fri, Jan 02 2015", "Mon, Jan 05 2015"],
        ["2015-01-02T00:00:00", "2015-01-05T00:00:00.000"],
        ["2015-01-02 09:30 AM", "2015-01-05 04:00 PM"],
        ["2-jan-15", "5-JAN-15"],
        ["1/2/2015 0:00", "1/5/2015 0:00", "1/13/2015 0:00"],
        ["20150102.0", "20150105.0"],
        ["2015-01-02 00:00:00+00", "2015-01-05 00:00:00+00"],
        ["January 2, 2015", "January 5, 2015"],
        ["2015-01-02 16:00:00-05:00", "2015-01-05 16:00:00-0500"],
    ],
)
def test_usual_ways_to_write_a_day(cells):
    found, _, faults = reading(cells)
    assert (found[:2], faults) == ([date(2015, 1, 2), date(2015, 1, 5)], [])


def test_times_with_and_without_an_offset_are_not_mixed():
    _, _, (fault,) = reading(["2015-01-02 16:00:00-05:00", "2015-01-05 16:00:00"])
    assert "got none in line 3 '2015-01-05 16:00:00'" in fault


def test_a_row_without_a_date_is_named():
    found, _, (fault,) = reading(["2015-01-02", ""])
    assert found == [date(2015, 1, 2), None] and fault == "line 3 has no date; remove the row"
