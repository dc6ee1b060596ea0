"""A directory of daily bars, one file a ticker, or several tickers a file."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from pipeline.exceptions import DataError, InputError
from pipeline.sources.base import Download
from pipeline.sources.files.columnar import SUFFIXES
from pipeline.sources.files.reading import held_tickers, read_file
from pipeline.sources.files.settings import FileSettings

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")


class CsvSource:
    """Files ``TICKER.csv`` (or ``.tsv``, ``.txt``, ``.parquet``, ``.feather``) with dates, prices, volume.

    How a file writes its columns, dates and numbers is found from the file, and refused where it can be read in two
    ways: see :mod:`pipeline.sources.files`.  The file of an index may leave out the caret: ``GSPC.csv`` for ``^GSPC``.
    A ticker without a file of its own is looked for in the files that hold several.

    Parameters
    ----------
    directory : Path
        Where the files are.
    adjusted : bool
        Whether open, high, low and close are already adjusted for dividends
        and splits.  It can't be read from a file, so it has to be said.
    settings : FileSettings, optional
        What else was said of the files.

    Raises
    ------
    InputError
        If there is no such directory.
    """

    name = "csv"
    default_ticker = "SPY"

    def __init__(self, directory: Path, *, adjusted: bool, settings: FileSettings | None = None) -> None:
        if not directory.is_dir():
            raise InputError(f"source csv needs a directory that exists, got {directory}; give its path")
        self.directory = directory
        self.adjusted = adjusted
        self.settings = settings or FileSettings(directory=directory, adjusted=adjusted)

    def has(self, ticker: str) -> bool:
        """Say whether a file is this ticker's or holds it."""
        try:
            self._path(ticker)
        except DataError:
            return False
        return True

    def fetch(self, ticker: str) -> Download:
        """Read one ticker's file.

        Raises
        ------
        DataError
            If there is no file, it can't be read or can be read in two ways, or it is said to be adjusted
            and carries an adjusted close that differs from its close.
        """
        path = self._path(ticker)
        reading = read_file(path, ticker, self.settings)
        return Download(
            ticker=ticker,
            bars=reading.bars,
            adjusted=self.adjusted,
            library=_library(path),
            reading=reading.said,
            warnings=reading.warnings,
            origin=self.settings.text,
        )

    def _path(self, ticker: str) -> Path:
        directory = self.directory
        known: dict[str, list[Path]] = {}
        for path in sorted(directory.iterdir()):
            if path.suffix.lower() in (*TEXT_SUFFIXES, *SUFFIXES) and path.is_file():
                known.setdefault(path.stem, []).append(path)
        for stem in (ticker, ticker.removeprefix("^")):
            if stem in known:
                return _only(known[stem], f"{ticker} must have one file")
        several = {path: held for paths in known.values() for path in paths if (held := held_tickers(path))}
        holding = [path for path, held in several.items() if ticker in held or self.settings.ticker in held]
        if holding:
            return _only(holding, f"{ticker} must be in one file")
        tickers = [*known, *(f"{each} in {path.name}" for path, held in several.items() for each in held)]
        raise DataError(
            f"ticker must be one that source csv has ({', '.join(tickers) or 'no files'}), got {ticker!r}; "
            f"add its file to {directory}"
        )


def _only(paths: list[Path], rule: str) -> Path:
    if len(paths) > 1:
        raise DataError(f"{rule}, got {', '.join(path.name for path in paths)}; keep one of them there")
    return paths[0]


def _library(path: Path) -> str:
    name = "pyarrow" if path.suffix.lower() in SUFFIXES else "pandas"
    return f"{name} {version(name)}"
