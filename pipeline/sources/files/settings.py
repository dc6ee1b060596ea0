"""What a user says of a directory of files, as it is typed: ``csv:DIRECTORY?adjusted=no&dates=dmy``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from pipeline.exceptions import InputError

FORM = "csv:DIRECTORY?adjusted=yes or csv:DIRECTORY?adjusted=no"
DATE_ORDERS = ("ymd", "dmy", "mdy")
DECIMALS = ("point", "comma")


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSettings:
    """A directory of files and what they do not say themselves.

    Parameters
    ----------
    directory : Path
        Where the files are.
    adjusted : bool
        Whether open, high, low and close are already adjusted for dividends and splits.
    dates : {"", "ymd", "dmy", "mdy"}
        Order of day, month and year, where the dates can be read in two ways.
    decimal : {"", "point", "comma"}
        Decimal sign, where the numbers can be read in two ways.
    zone : str
        Time zone of the exchange, where times carry an offset and the ticker does not tell its exchange.
    ticker : str
        Which of a file's tickers, where it is another name than the one that is asked for.
    """

    directory: Path
    adjusted: bool
    dates: str = ""
    decimal: str = ""
    zone: str = ""
    ticker: str = ""

    @property
    def text(self) -> str:
        """As it is typed.

        Examples
        --------
        >>> FileSettings(directory=Path("bars"), adjusted=False, dates="dmy").text
        'csv:bars?adjusted=no&dates=dmy'
        """
        further = "".join(f"&{name}={value}" for name in READERS if (value := getattr(self, name)))
        return f"csv:{self.directory}?adjusted={'yes' if self.adjusted else 'no'}{further}"


def _one_of(*choices: str) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if text not in choices:
            raise InputError(f"{name} of source csv must be {' or '.join(choices)}, got {text!r}")
        return text

    return read


def _zone(name: str, text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ValueError, OSError, LookupError) as error:
        raise InputError(f"{name} of source csv must be a time zone such as Europe/Madrid, got {text!r}") from error


def _any(name: str, text: str) -> str:
    if not text.strip():
        raise InputError(f"{name} of source csv must not be empty; leave it out")
    return text


READERS: dict[str, Callable[[str, str], str]] = {
    "dates": _one_of(*DATE_ORDERS),
    "decimal": _one_of(*DECIMALS),
    "zone": _zone,
    "ticker": _any,
}


def parse_settings(text: str) -> FileSettings:
    """Read what was typed after ``--source``.

    Raises
    ------
    InputError
        Naming the first setting that is missing, unknown, there twice or wrong.

    Examples
    --------
    >>> parse_settings("csv:my bars?adjusted=no&decimal=comma").decimal
    'comma'
    """
    directory, _, typed = text.removeprefix("csv:").rpartition("?")
    pairs = parse_qsl(typed, keep_blank_values=True, separator="&")
    given = dict(pairs)
    if not directory or given.get("adjusted") not in ("yes", "no"):
        raise InputError(f"source csv must be written {FORM}, got {text!r}")
    unknown = [name for name in given if name not in ("adjusted", *READERS)]
    if unknown or len(given) < len(pairs):
        wrong = f"{unknown[0]!r}" if unknown else "one of them twice"
        raise InputError(f"source csv takes adjusted, {', '.join(READERS)}, each once, got {wrong} in {text!r}")
    further = {name: read(name, given[name]) for name, read in READERS.items() if name in given}
    return FileSettings(directory=Path(directory), adjusted=given["adjusted"] == "yes", **further)
