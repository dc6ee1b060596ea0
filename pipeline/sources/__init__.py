"""Where bars come from: one small protocol, one module a provider."""

from __future__ import annotations

from pathlib import Path

from pipeline.exceptions import InputError
from pipeline.sources.base import Download, Source
from pipeline.sources.files.settings import FORM, FileSettings, parse_settings

__all__ = ["SOURCES", "Download", "Source", "known_source", "open_source"]

SOURCES = ("sample", "yahoo", "csv")


def open_source(name: str, *, directory: Path | None = None, adjusted: bool | None = None) -> Source:
    """Return the source of this name.

    Parameters
    ----------
    name : str
        ``sample``, ``yahoo`` or ``csv``; or, as typed on a command line,
        ``csv:DIRECTORY?adjusted=yes`` (or ``no``, and further settings behind ``&``).
    directory, adjusted
        Of ``csv``, where its text does not say them.

    Raises
    ------
    InputError
        If no source has this name, or one of the settings is missing or too many.

    Examples
    --------
    >>> open_source("sample").default_ticker
    '^GSPC'
    >>> open_source("csv:.?adjusted=yes").adjusted
    True
    """
    if name != "csv":
        known_source("source", name)
    if name.startswith("csv:"):
        if directory is not None or adjusted is not None:
            raise InputError(f"source csv must be set once, got both {name!r} and settings beside it; drop one")
        return _open_csv(parse_settings(name))
    if name == "csv":
        if directory is None or adjusted is None:
            raise InputError(
                f"source csv must say its directory and whether prices are adjusted, got directory={directory}, "
                f"adjusted={adjusted}; write {FORM}"
            )
        return _open_csv(FileSettings(directory=Path(directory), adjusted=adjusted))
    if directory is not None or adjusted is not None:
        raise InputError(f"only source csv takes a directory and adjusted, got them with {name!r}; drop them")
    if name == "sample":
        from pipeline.sources.sample import SampleSource

        return SampleSource()
    from pipeline.sources.yahoo import YahooSource

    return YahooSource()


def known_source(option: str, text: str) -> str:
    """Refuse a text that names no source, without opening one.

    Examples
    --------
    >>> known_source("source", "csv:bars?adjusted=yes")
    'csv:bars?adjusted=yes'
    """
    if text.partition(":")[0] == "csv":
        parse_settings(text)
    elif text not in SOURCES:
        raise InputError(f"{option} must be one of {', '.join(SOURCES)}, got {text!r}")
    return text


def _open_csv(settings: FileSettings) -> Source:
    from pipeline.sources.csv import CsvSource

    return CsvSource(settings.directory, adjusted=settings.adjusted, settings=settings)
