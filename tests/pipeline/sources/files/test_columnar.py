from __future__ import annotations

import pandas as pd
import pytest

from pipeline.exceptions import DataError
from pipeline.sources import open_source
from pipeline.sources.files.columnar import read_columnar_table

DAYS = pd.DatetimeIndex(["2015-01-02", "2015-01-05"])
FIELDS = ["open", "high", "low", "close", "volume"]


def test_an_index_with_a_meaning_is_a_column(tmp_path):
    frame = pd.DataFrame(1.0, index=DAYS.rename("Date"), columns=FIELDS)
    frame.to_parquet(tmp_path / "a.parquet")
    frame.reset_index().to_parquet(tmp_path / "b.parquet")
    for name in ("a", "b"):
        table = read_columnar_table(tmp_path / f"{name}.parquet")
        assert [label for (label,) in table.labels] == ["Date", *FIELDS]


def test_columns_of_several_tickers_keep_their_names(tmp_path):
    columns = pd.MultiIndex.from_product([["Open", "High", "Low", "Close", "Volume"], ["SPY", "QQQ"]])
    frame = pd.DataFrame([[1.0, 2.0] * 5] * 2, index=DAYS, columns=columns)
    frame.to_parquet(tmp_path / "both.parquet")
    for ticker, value in (("SPY", 1.0), ("QQQ", 2.0)):
        bars = open_source(f"csv:{tmp_path}?adjusted=no").fetch(ticker).bars
        assert bars["close"].tolist() == [value, value] and (bars.index == DAYS).all()


@pytest.mark.parametrize(
    "dates",
    [
        DAYS.tz_localize("America/New_York"),
        DAYS.date,
        DAYS.strftime("%d.%m.%Y").str.replace("02.01", "13.01").to_list(),
        DAYS.strftime("%Y%m%d").astype(int),
        DAYS.as_unit("s").astype("int64"),
    ],
)
def test_dates_of_any_type(tmp_path, dates):
    pd.DataFrame({"day": dates, **dict.fromkeys(FIELDS, 1.0)}).to_parquet(tmp_path / "SPY.parquet")
    found = open_source(f"csv:{tmp_path}?adjusted=no").fetch("SPY").bars.index
    assert found[0] in (DAYS[0], DAYS[1]) and len(found) == 2


def test_a_file_without_columns_is_refused(tmp_path):
    pd.DataFrame().to_parquet(tmp_path / "SPY.parquet")
    with pytest.raises(DataError, match=r"must have the columns date, open, .*got none"):
        open_source(f"csv:{tmp_path}?adjusted=no").fetch("SPY")


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_what_is_no_such_file_is_refused(tmp_path, suffix):
    (tmp_path / f"SPY.{suffix}").write_bytes(b"PAR1 broken")
    with pytest.raises(DataError, match=rf"SPY.{suffix} has 1 fault: must be a {suffix.title()} file"):
        open_source(f"csv:{tmp_path}?adjusted=no").fetch("SPY")
