"""A legacy file before it is parsed: of bounded size, regular, text, and named by its content."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.exceptions import InputError, StoreError
from search.legacy.parse.stream import Piece, read_lines, read_pieces, read_text, read_texts, survey
from search.legacy.recover.fields import printable

KINDS = ("csv", "json", "log")
SUFFIXES = {".csv": "csv", ".tsv": "csv", ".json": "json", ".log": "log", ".txt": "log", ".out": "log"}
PACKED_SUFFIXES = (".gz", ".bz2", ".xz")
MEBIBYTE = 2**20
# What is read in a stream may be long; a JSON document is held whole, in some ten times its size.
SIZE_LIMITS = {
    "csv": 1024 * MEBIBYTE,
    "json": 16 * MEBIBYTE,
    "table": 1024 * MEBIBYTE,
    "log": 16 * 1024 * MEBIBYTE,
}
MAX_TRIALS = 100_000


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file's text and identity.

    Parameters
    ----------
    name : str
        File name, for people: it says nothing about the trials and identifies nothing.
    kind : str
        ``csv``, ``json`` or ``log``.
    digest : str
        SHA-256 of the bytes, unpacked.
    path : Path
        Where it lies now.
    encoding : str
        In which its bytes are text.
    size : int
        Bytes, unpacked; 0 where another reader opens it.
    """

    name: str
    kind: str
    digest: str
    path: Path
    encoding: str = "utf-8"
    size: int = 0

    @cached_property
    def text(self) -> str:
        """The whole content; a log is better read in pieces, a table by lines."""
        return read_text(self.path, self.encoding)

    @property
    def suffix(self) -> str:
        """Suffix of the name, packed or not."""
        return _plain(self.path).suffix.lower()

    @property
    def folder(self) -> str:
        """Name of the directory that holds it: where files of one name lie beside each other, it tells them apart."""
        return printable(self.path.absolute().parent.name)

    def pieces(self, longest: int) -> Iterator[Piece]:
        """Content piece by piece: see :func:`search.legacy.parse.stream.read_pieces`."""
        return read_pieces(self.path, self.encoding, longest)

    def texts(self) -> Iterator[str]:
        """Content in parts that are cut anywhere."""
        return read_texts(self.path, self.encoding)

    def lines(self, longest: int) -> Iterator[str]:
        """Content line by line: see :func:`search.legacy.parse.stream.read_lines`."""
        return read_lines(self.path, self.encoding, longest)


def read_source(path: Path, kind: str | None = None) -> SourceFile:
    """Read a legacy file to its end, holding little of it.

    Parameters
    ----------
    path : Path
        A regular file of at most 1 GiB (JSON 16 MiB, a log 16 GiB), UTF-8 or UTF-16, without NUL bytes; it may be
        packed by gzip, bzip2 or xz.
    kind : str, optional
        Overrides what the suffix says.

    Raises
    ------
    StoreError
        If it can't be read.
    InputError
        If it is of unknown kind, too large, or not text.
    """
    shown = printable(str(path))
    kind = kind or kind_by_suffix(path)
    try:
        status = path.stat()
        if kind is None:
            raise InputError(
                f"a legacy file's kind must be known by its suffix ({', '.join(SUFFIXES)}), got {shown}; "
                f"say it with --kind {' or '.join(KINDS)}"
            )
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"a legacy file must be a regular file, got {shown}; name the files themselves")
        limit = SIZE_LIMITS[kind]
        refusal = f"a legacy {kind} file must have at most {limit // MEBIBYTE} MiB, got more in {shown}; split it"
        if status.st_size > limit:
            raise InputError(refusal)
        found = survey(path, limit, refusal)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise StoreError(f"a legacy file must be readable, got {shown} ({reason}); check path and rights") from error
    return SourceFile(
        name=printable(path.name),
        kind=kind,
        digest=found.digest,
        path=path,
        encoding=found.encoding,
        size=found.size,
    )


def kind_by_suffix(path: Path) -> str | None:
    """Kind of a file by its name, packed or not; None is unknown."""
    return SUFFIXES.get(_plain(path).suffix.lower())


def _plain(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() in PACKED_SUFFIXES else path
