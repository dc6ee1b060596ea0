"""A legacy file before it is parsed: of bounded size, regular, text, and named by its content."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

from pipeline.exceptions import InputError, StoreError
from search.legacy.recover.fields import printable

KINDS = ("csv", "json", "log")
SUFFIXES = {".csv": "csv", ".json": "json", ".log": "log", ".txt": "log", ".out": "log"}
MEBIBYTE = 2**20
SIZE_LIMITS = {"csv": 64 * MEBIBYTE, "json": 16 * MEBIBYTE, "log": 64 * MEBIBYTE}
MAX_TRIALS = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """A file's text and identity.

    Parameters
    ----------
    name : str
        File name, for people: it says nothing about the trials and identifies nothing.
    kind : str
        ``csv``, ``json`` or ``log``.
    digest : str
        SHA-256 of the bytes.
    text : str
        The whole content.
    """

    name: str
    kind: str
    digest: str
    text: str


def read_source(path: Path, kind: str | None = None) -> SourceFile:
    """Read a legacy file.

    Parameters
    ----------
    path : Path
        A regular file of at most 64 MiB (JSON 16 MiB), UTF-8, without NUL bytes.
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
    kind = kind or SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise InputError(
            f"a legacy file's kind must be known by its suffix ({', '.join(SUFFIXES)}), got {shown}; "
            f"say it with --kind {' or '.join(KINDS)}"
        )
    limit = SIZE_LIMITS[kind]
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"a legacy file must be a regular file, got {shown}; name the files themselves")
        with path.open("rb") as handle:
            data = handle.read(limit + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise StoreError(f"a legacy file must be readable, got {shown} ({reason}); check path and rights") from error
    if len(data) > limit:
        raise InputError(
            f"a legacy {kind} file must have at most {limit // MEBIBYTE} MiB, got more in {shown}; split it"
        )
    return SourceFile(
        name=printable(path.name), kind=kind, digest=hashlib.sha256(data).hexdigest(), text=_decode(data, shown)
    )


def _decode(data: bytes, shown: str) -> str:
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InputError(
            f"a legacy file must be text, got a NUL byte in {shown} line {line}; it is binary or damaged, "
            "take the original"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"a legacy file must be UTF-8 text, got other bytes in {shown} line {line}; it is binary, or has "
            "to be converted first"
        ) from error
