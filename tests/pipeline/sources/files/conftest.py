"""The same bars, written as different programs write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.sources import open_source

NAMES = {"open": "Open", "high": "High", "low": "Low", "close": "Close", "volume": "Volume"}
Form = Callable[[pd.DataFrame, Path], str]


def fields(bars: pd.DataFrame, day: str = "%Y-%m-%d") -> pd.DataFrame:
    """Bars as text: a date column, two decimals, whole volumes."""
    prices = {NAMES[name]: bars[name].map("{:.2f}".format) for name in ("open", "high", "low", "close")}
    volume = bars["volume"].map("{:.0f}".format)
    return pd.DataFrame({"Date": bars.index.strftime(day), **prices, "Volume": volume}).reset_index(drop=True)


def rows(frame: pd.DataFrame, separator: str = ",") -> str:
    return frame.to_csv(index=False, sep=separator)


def yahoo(bars: pd.DataFrame, folder: Path) -> str:
    (folder / "SPY.csv").write_text(rows(fields(bars)), encoding="utf-8")
    return ""


def german(bars: pd.DataFrame, folder: Path) -> str:
    frame = fields(bars, "%d.%m.%Y").apply(lambda cells: cells.str.replace(".", ",") if cells.name != "Date" else cells)
    (folder / "SPY.csv").write_text(rows(frame, ";"), encoding="utf-8-sig")
    return ""


def italian(bars: pd.DataFrame, folder: Path) -> str:
    """Points between thousands, decimal comma, day before month."""
    frame = fields(bars, "%d/%m/%Y")
    for name in ("Open", "High", "Low", "Close"):
        cells = bars[name.lower()].map("{:,.2f}".format)
        frame[name] = cells.str.translate(str.maketrans(",.", ".,")).to_list()
    (folder / "SPY.csv").write_text(rows(frame), encoding="cp1252")
    return ""


def tabs(bars: pd.DataFrame, folder: Path) -> str:
    (folder / "SPY.tsv").write_text(rows(fields(bars).rename(columns=str.upper), "\t"), encoding="utf-16")
    return ""


def pipes(bars: pd.DataFrame, folder: Path) -> str:
    text = "Marché de New York\n\n" + rows(fields(bars, "%d-%b-%Y"), "|")
    (folder / "SPY.txt").write_text(text, encoding="cp1252")
    return ""


def spreadsheet(bars: pd.DataFrame, folder: Path) -> str:
    frame = fields(bars, "%Y/%m/%d")
    for name in NAMES.values():
        frame[name] = bars[name.lower()].map("{:,.2f}".format).to_list()
    (folder / "SPY.csv").write_text(rows(frame), encoding="utf-8")
    return ""


def yfinance(bars: pd.DataFrame, folder: Path) -> str:
    """Its header of three rows."""
    frame = fields(bars).set_index("Date")[["Close", "High", "Low", "Open", "Volume"]]
    frame.columns = pd.MultiIndex.from_product([frame.columns, ["SPY"]], names=["Price", "Ticker"])
    frame.to_csv(folder / "SPY.csv", encoding="utf-8")
    return ""


def yfinance_by_ticker(bars: pd.DataFrame, folder: Path) -> str:
    """Two tickers in a file, of which one began earlier, under another file's name."""
    frame = fields(bars).set_index("Date")
    other = frame.map(lambda cell: "7.50")
    early = pd.concat([frame.iloc[0:0], pd.DataFrame("", index=["1994-01-03"], columns=frame.columns), frame])
    both = {"C": other.reindex(early.index, fill_value="7.50"), "SPY": early}
    pd.concat(both, axis=1, names=["Ticker", "Price"]).rename_axis("Date").to_csv(folder / "both.csv", encoding="utf-8")
    return ""


def long_form(bars: pd.DataFrame, folder: Path) -> str:
    frame = fields(bars)
    both = pd.concat([frame.assign(Name="SPY"), frame.assign(Name="QQQ", Close="1.00")]).sort_values("Date")
    (folder / "all.csv").write_text(rows(both.rename(columns=str.lower)), encoding="utf-8")
    return ""


def stooq(bars: pd.DataFrame, folder: Path) -> str:
    frame = fields(bars, "%Y%m%d").rename(columns={"Volume": "VOL"}).rename(columns=lambda name: f"<{name.upper()}>")
    frame.insert(0, "<TICKER>", "SPY.US")
    frame.insert(1, "<PER>", "D")
    frame.insert(3, "<TIME>", "000000")
    (folder / "SPY.txt").write_text(rows(frame.assign(**{"<OPENINT>": "0"})), encoding="utf-8")
    return ""


def nasdaq(bars: pd.DataFrame, folder: Path) -> str:
    frame = fields(bars, "%m/%d/%Y").rename(columns={"Close": "Close/Last"})
    for name in ("Open", "High", "Low", "Close/Last"):
        frame[name] = "$" + frame[name]
    (folder / "SPY.csv").write_text(rows(frame.iloc[::-1]), encoding="utf-8")
    return ""


def investing(bars: pd.DataFrame, folder: Path) -> str:
    frame = fields(bars, "%b %d, %Y").rename(columns={"Close": "Price", "Volume": "Vol."})
    frame["Vol."] = [f"{volume / 1e6:.3f}M" for volume in bars["volume"]]
    (folder / "SPY.csv").write_text(rows(frame.assign(**{"Change %": "0.10%"}).iloc[::-1]), encoding="utf-8-sig")
    return ""


def alpha_vantage(bars: pd.DataFrame, folder: Path) -> str:
    frame = fields(bars).rename(columns={"Date": "timestamp"})
    frame = frame.rename(columns={name: f"{n}. {name.lower()}" for n, name in enumerate(NAMES.values(), 1)})
    (folder / "SPY.csv").write_text(rows(frame.iloc[::-1]), encoding="utf-8")
    return ""


def milliseconds(bars: pd.DataFrame, folder: Path) -> str:
    """Openings of New York."""
    opened = (bars.index + pd.Timedelta(hours=9, minutes=30)).tz_localize("America/New_York")
    frame = fields(bars).assign(Date=(opened.as_unit("ms").astype("int64")).astype(str))
    (folder / "SPY.csv").write_text(rows(frame), encoding="utf-8")
    return ""


def utc(bars: pd.DataFrame, folder: Path) -> str:
    """Midnights of New York, written in UTC, the column without a name."""
    midnights = bars.index.tz_localize("America/New_York").tz_convert("UTC")
    frame = fields(bars).assign(Date=midnights.strftime("%Y-%m-%d %H:%M:%S+00:00")).rename(columns={"Date": ""})
    (folder / "SPY.csv").write_text(rows(frame), encoding="utf-8")
    return ""


def parquet(bars: pd.DataFrame, folder: Path) -> str:
    bars.drop(columns="adj_close").rename(columns=NAMES).rename_axis("Date").to_parquet(folder / "SPY.parquet")
    return ""


def feather(bars: pd.DataFrame, folder: Path) -> str:
    bars.drop(columns="adj_close").rename_axis("timestamp").reset_index().to_feather(folder / "SPY.feather")
    return ""


FORMS: dict[str, Form] = {
    form.__name__: form
    for form in (
        *(yahoo, german, italian, tabs, pipes, spreadsheet, yfinance, yfinance_by_ticker, long_form),
        *(stooq, nasdaq, investing, alpha_vantage, milliseconds, utc, parquet, feather),
    )
}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., object]:
    """Read a text as the file of a ticker: bars, reading and warnings, or the refusal."""

    def fetch(text: str | bytes, ticker: str = "SPY", settings: str = "", name: str = "") -> object:
        content = text if isinstance(text, bytes) else text.encode("utf-8")
        (tmp_path / (name or f"{ticker}.csv")).write_bytes(content)
        return open_source(f"csv:{tmp_path}?adjusted=no{settings}").fetch(ticker)

    return fetch
