"""A directory of daily bars in Yahoo's form, one CSV file a ticker."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pandas as pd

from pipeline.bars import normalise
from pipeline.exceptions import DataError, InputError
from pipeline.sources.base import Download


class CsvSource:
    """Files ``TICKER.csv`` with the columns Date, Open, High, Low, Close, Volume and perhaps Adj Close.

    The file of an index may leave out the caret: ``GSPC.csv`` for ``^GSPC``.

    Parameters
    ----------
    directory : Path
        Where the files are.
    adjusted : bool
        Whether open, high, low and close are already adjusted for dividends
        and splits.  It can't be read from a file, so it has to be said.

    Raises
    ------
    InputError
        If there is no such directory.
    """

    name = "csv"
    default_ticker = "SPY"

    def __init__(self, directory: Path, *, adjusted: bool) -> None:
        if not directory.is_dir():
            raise InputError(f"source csv needs a directory that exists, got {directory}; give its path")
        self.directory = directory
        self.adjusted = adjusted

    def fetch(self, ticker: str) -> Download:
        """Read one ticker's file.

        Raises
        ------
        DataError
            If there is no file, it can't be read, or it is said to be adjusted
            and carries an adjusted close that differs from its close.
        """
        path = self._path(ticker)
        try:
            bars = normalise(pd.read_csv(path))
        except (OSError, ValueError) as error:
            raise DataError(f"{ticker}: {path} must be a CSV file in Yahoo's form: {error}") from error
        if not len(bars):
            raise DataError(f"{ticker}: {path} must hold at least one session, got none")
        if self.adjusted and not bars["adj_close"].equals(bars["close"]):
            raise DataError(
                f"{ticker}: {path} was said to be adjusted, but its Adj Close differs from its Close; use adjusted=no"
            )
        return Download(ticker=ticker, bars=bars, adjusted=self.adjusted, library=f"pandas {version('pandas')}")

    def _path(self, ticker: str) -> Path:
        known = {path.stem: path for path in sorted(self.directory.glob("*.csv"))}
        for stem in (ticker, ticker.removeprefix("^")):
            if stem in known:
                return known[stem]
        raise DataError(
            f"ticker must be one that source csv has ({', '.join(known) or 'no files'}), got {ticker!r}; "
            f"add its file to {self.directory}"
        )
