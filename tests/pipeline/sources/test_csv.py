from __future__ import annotations

import pytest

from pipeline.exceptions import DataError, InputError
from pipeline.sources import open_source
from pipeline.sources.csv import CsvSource

HEADER = "Date,Open,High,Low,Close,Volume\n"


def test_an_index_is_found_without_its_caret(market):
    (market / "INDEX.csv").rename(market / "GSPC.csv")
    assert len(CsvSource(market, adjusted=False).fetch("^GSPC").bars) == 5


def test_the_file_with_the_caret_comes_first(market):
    (market / "^TEST.csv").write_text(HEADER + "2024-03-11,1,1,1,1,5\n")
    assert len(CsvSource(market, adjusted=False).fetch("^TEST").bars) == 1


def test_files_without_adjusted_close_have_it_equal_to_the_close(market):
    (market / "X.csv").write_text(HEADER + "2024-03-11,1,3,1,2,5\n")
    bars = CsvSource(market, adjusted=True).fetch("X").bars
    assert bars["adj_close"].tolist() == [2.0]


def test_adjusted_is_recorded(market):
    (market / "X.csv").write_text(HEADER + "2024-03-11,1,3,1,2,5\n")
    assert CsvSource(market, adjusted=True).fetch("X").adjusted is True
    assert CsvSource(market, adjusted=False).fetch("X").adjusted is False


def test_a_file_can_not_be_adjusted_and_carry_another_adjusted_close(market):
    with pytest.raises(DataError, match="said to be adjusted"):
        CsvSource(market, adjusted=True).fetch("TEST")


@pytest.mark.parametrize("text", ["", "Date,Open\n2024-03-11,1\n", HEADER, HEADER + "2024-03-11,1,x,1,2,5\n"])
def test_a_file_of_another_form_is_refused_by_name(market, text):
    (market / "X.csv").write_text(text)
    with pytest.raises(DataError):
        CsvSource(market, adjusted=True).fetch("X")


def test_a_missing_directory_is_refused(tmp_path):
    with pytest.raises(InputError, match="directory that exists"):
        open_source("csv", directory=tmp_path / "none", adjusted=True)
