import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.bars import COLUMNS
from pipeline.datasets.sent_columns import plain_columns, plain_name, require_one_ticker
from pipeline.exceptions import DataError

NAMES = ("date", *COLUMNS, "vix_close", "ticker")


@given(st.sampled_from(NAMES), st.sampled_from([str.upper, str.title, str.capitalize]), st.sampled_from(" _-"))
def test_case_and_what_joins_words_do_not_matter(name, case, joint):
    assert plain_name(f" {case(name).replace('_', joint)} ") == name
    assert plain_name(name) == name


def test_dates_may_be_the_index():
    days = pd.date_range("2024-01-02", periods=3, name="Date")
    frame = plain_columns(pd.DataFrame({"Close": [1.0, 2.0, 3.0]}, index=days))
    assert list(frame.columns) == ["date", "close"] and list(frame["date"]) == list(days)


def test_columns_of_several_levels_are_refused():
    columns = pd.MultiIndex.from_product([["Close", "Open"], ["SPY", "QQQ"]])
    with pytest.raises(DataError, match=r"one row of column names, got 2 .*take the columns of one ticker"):
        plain_columns(pd.DataFrame([[1.0] * 4], columns=columns))


@pytest.mark.parametrize(("said", "holds"), [(["spy", " SPY "], True), (["SPY", "QQQ"], False), (["QQQ"] * 2, False)])
def test_rows_of_another_ticker_are_refused(said, holds):
    frame = pd.DataFrame({"ticker": said, "close": 1.0})
    if holds:
        require_one_ticker(frame, "SPY")
    else:
        with pytest.raises(DataError, match=r"bars must be of SPY alone, got .*QQQ"):
            require_one_ticker(frame, "SPY")
    require_one_ticker(frame.drop(columns="ticker"), "SPY")
