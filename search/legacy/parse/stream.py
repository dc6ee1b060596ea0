"""Files as a stream: decompressed, decoded as their first bytes say, cut into lines, never held whole."""

from __future__ import annotations

import bz2
import codecs
import gzip
import hashlib
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.exceptions import InputError
from search.legacy.recover.fields import printable

CHUNK = 2**18
PACKED: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": lambda path: gzip.open(path, "rb"),
    b"BZh": lambda path: bz2.open(path, "rb"),
    b"\xfd7zXZ\0": lambda path: lzma.open(path, "rb"),
}
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
MOSTLY = 0.8


class Contents(NamedTuple):
    """What was found when a file was read to its end.

    Parameters
    ----------
    digest : str
        SHA-256 of the bytes, unpacked.
    encoding : str
        In which they are text.
    size : int
        How many bytes, unpacked.
    """

    digest: str
    encoding: str
    size: int


class Piece(NamedTuple):
    """A part of a line: what stands between two line ends or carriage returns.

    Parameters
    ----------
    number : int
        Of the line, from 1: pieces that overwrite each other on a terminal share it.
    text : str
        At most one letter longer than asked for; the rest of a longer one is dropped.
    ended : bool
        Whether a line end or a carriage return follows.
    """

    number: int
    text: str
    ended: bool


def survey(path: Path, limit: int, refusal: str) -> Contents:
    """Read a file to its end, holding a chunk at a time.

    Parameters
    ----------
    path : Path
        Plain, or packed by gzip, bzip2 or xz.
    limit : int
        Most bytes, unpacked.
    refusal : str
        Message for a file of more.

    Raises
    ------
    InputError
        If it is too large, damaged, or not text.
    """
    sha, size, encoding = hashlib.sha256(), 0, ""
    decoder, line, shown = None, 1, printable(str(path))
    for chunk in read_chunks(path):
        size += len(chunk)
        if size > limit:
            raise InputError(refusal)
        sha.update(chunk)
        if decoder is None:
            encoding = _encoding(chunk)
            decoder = codecs.getincrementaldecoder(encoding)()
        line += _decode(decoder, chunk, line, shown).count("\n")
    if decoder is not None:
        _decode(decoder, b"", line, shown, final=True)
    return Contents(sha.hexdigest(), encoding or "utf-8", size)


def read_text(path: Path, encoding: str) -> str:
    """Read a whole file that was surveyed."""
    return "".join(read_texts(path, encoding))


def read_pieces(path: Path, encoding: str, longest: int) -> Iterator[Piece]:
    r"""Read a file that was surveyed, piece by piece; ``\n``, ``\r\n`` and ``\r`` end one, only a ``\n`` a line."""
    number, rest = 1, ""
    for text in read_texts(path, encoding):
        held = (rest + text).replace("\r\n", "\n")
        waits = held.endswith("\r")
        *lines, last = (held[:-1] if waits else held).split("\n")
        for line in lines:
            for part in line.split("\r"):
                yield Piece(number, part[: longest + 1], True)
            number += 1
        *overwritten, last = last.split("\r")
        for part in overwritten:
            yield Piece(number, part[: longest + 1], True)
        rest = last[: longest + 1] + ("\r" if waits else "")
    if rest:
        yield Piece(number, rest.removesuffix("\r"), rest.endswith("\r"))


def read_lines(path: Path, encoding: str, longest: int) -> Iterator[str]:
    r"""Read a file that was surveyed, line by line, each with the ``\n``, ``\r\n`` or ``\r`` that ends it.

    A line of more letters than ``longest`` comes in parts of as many.
    """
    packed = _packing(path)
    with packed(path) if packed else path.open("rb") as handle, io.TextIOWrapper(handle, encoding, newline="") as text:
        yield from iter(lambda: text.readline(longest), "")


def read_texts(path: Path, encoding: str) -> Iterator[str]:
    """Read a file that was surveyed, in parts that are cut anywhere."""
    decoder = codecs.getincrementaldecoder(encoding)()
    for chunk in read_chunks(path):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", True)


def read_chunks(path: Path) -> Iterator[bytes]:
    """Read a file chunk by chunk, unpacked.

    Raises
    ------
    InputError
        If it is packed and not whole.
    """
    packed = _packing(path)
    try:
        with packed(path) if packed else path.open("rb") as handle:
            while chunk := handle.read(CHUNK):
                yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise InputError(
            f"a packed file must be whole, got {error} in {printable(str(path))}; it is half-written or damaged, take "
            "the original"
        ) from error
    except OSError as error:
        if packed is None or error.errno is not None:
            raise
        raise InputError(
            f"a packed file must be whole, got {error} in {printable(str(path))}; it is damaged, take the original"
        ) from error


def _packing(path: Path) -> Callable[[Path], Any] | None:
    with path.open("rb") as plain:
        start = plain.read(max(map(len, PACKED)))
    return next((opened for mark, opened in PACKED.items() if start.startswith(mark)), None)


def _encoding(start: bytes) -> str:
    """Tell the encoding by byte order mark; without one, UTF-16 has its zeros at every other byte."""
    for mark, name in MARKS.items():
        if start.startswith(mark):
            return name
    pairs = len(start[:4096]) // 2
    if pairs < 2:
        return "utf-8"
    first, second = (start[: 2 * pairs][at::2].count(0) / min(pairs, 2048) for at in (0, 1))
    if second >= MOSTLY and first < 1 - MOSTLY:
        return "utf-16-le"
    return "utf-16-be" if first >= MOSTLY and second < 1 - MOSTLY else "utf-8"


def _decode(decoder: codecs.IncrementalDecoder, chunk: bytes, line: int, shown: str, final: bool = False) -> str:
    try:
        text = decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        line += bytes(error.object).count(b"\n", 0, error.start)
        raise InputError(
            f"a legacy file must be UTF-8 or UTF-16 text, got other bytes in {shown} line {line}; it is binary, or has "
            "to be converted first"
        ) from error
    if "\0" in text:
        line += text.count("\n", 0, text.index("\0"))
        raise InputError(
            f"a legacy file must be text, got a NUL byte in {shown} line {line}; it is binary or damaged, "
            "take the original"
        )
    return text


def head(path: Path) -> str:
    """Read the beginning of a file as text, as far as it is text; empty if it can't be read."""
    try:
        start = next(read_chunks(path), b"")
        return start.decode(_encoding(start), "replace")
    except (OSError, ValueError, EOFError):
        return ""
