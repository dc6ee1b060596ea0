from __future__ import annotations

import pytest

from pipeline.exceptions import DataError
from pipeline.sources.files.faults import Faults
from pipeline.sources.files.layout import SEPARATORS, read_text_table

FIELDS = ("Date", "Open", "High", "Low", "Close", "Volume")
DAY = ("2015-01-02", "1", "3", "1", "2", "5")


def table_of(*rows, separator=","):
    faults = Faults()
    return read_text_table("\n".join(separator.join(row) for row in rows), faults), faults.found


@pytest.mark.parametrize(("separator", "name"), SEPARATORS.items())
def test_the_separator_is_found_from_the_header(separator, name):
    table, faults = table_of(FIELDS, DAY, separator=separator)
    assert [label for (label,) in table.labels] == list(FIELDS) and faults == []
    assert table.cells.to_numpy().tolist() == [list(DAY)] and f"separator {name}" in table.said


@pytest.mark.parametrize(
    "header",
    [
        [("Price", "Close", "High"), ("Ticker", "SPY", "SPY"), ("Date", "", "")],
        [("Ticker", "SPY", "SPY"), ("Price", "Close", "High"), ("Date", "", "")],
        [("", "SPY", "SPY"), ("Date", "Close", "High")],
        [("Date", "Close", "High"), ("", "7203.T", "7203.T")],
        [("Price", "Close", "High"), ("Ticker", "7203", "7203"), ("Date", "", "")],
    ],
)
def test_a_header_of_several_rows_ends_where_the_days_begin(header):
    table, _ = table_of(*header, ("2015-01-02", "2", "3"), ("2015-01-05", "", ""))
    assert f"header of {len(header)} rows" in table.said and len(table.cells) == 2
    assert table.lines == (len(header) + 1, len(header) + 2)
    assert table.labels == tuple(zip(*header, strict=True))


def test_lines_before_the_header_and_empty_fields_behind_it_are_no_columns():
    table, faults = table_of(("Prices, adjusted, of SPY",), (), FIELDS, (*DAY, "", ""))
    assert "1 line before the header left out" in table.said
    assert table.lines == (4,) and table.cells.shape == (1, 6) and faults == []


def test_rows_of_another_width_are_named_together():
    _, faults = table_of(FIELDS, DAY, DAY[:4], (*DAY, "7"), (*DAY, "8"))
    assert faults == ["the header has 6 fields, got 4 in line 3", "the header has 6 fields, got 7 in line 4, 5"]


def test_quotes_hold_separators():
    table, _ = table_of(FIELDS, ("2015-01-02", '"1,000.5"', "3", "1", "2", "5"))
    assert table.cells[1].tolist() == ["1,000.5"]


def test_a_file_without_a_header_names_its_columns():
    with pytest.raises(DataError, match=r"must have a header that names date, .*got the columns 2015-01-02, 1, 3"):
        table_of(DAY, DAY)
