"""Bytes of a text file: which encoding they are in."""

from __future__ import annotations

import codecs

from pipeline.exceptions import DataError

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, the longer before those that they start with."""
NUL = 0
LOOKED_AT = 4096
LATIN_SHARE = 0.5
"""Of every second byte: so many are NUL where most letters are Latin ones in UTF-16."""


def decode(content: bytes) -> tuple[str, str]:
    r"""Read the bytes of a text file: the text, and the encoding by name.

    Raises
    ------
    DataError
        If they are no text, or in no encoding that is known.

    Examples
    --------
    >>> decode(b"\xef\xbb\xbfDate"), decode("Dâte".encode("cp1252")), decode("Date".encode("utf-16-le"))
    (('Date', 'utf-8'), ('Dâte', 'cp1252'), ('Date', 'utf-16'))
    """
    for encoding in _candidates(content):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.removeprefix("\ufeff"), encoding.removesuffix("-sig").removesuffix("-le").removesuffix("-be")
    raise DataError("must be a text file in UTF-8, UTF-16 or cp1252, got bytes that are none; save it as CSV in UTF-8")


def _candidates(content: bytes) -> tuple[str, ...]:
    for mark, encoding in MARKS:
        if content.startswith(mark):
            return (encoding,)
    head = content[:LOOKED_AT]
    if NUL in head:
        halves = {"utf-16-be": head[::2], "utf-16-le": head[1::2]}
        return tuple(encoding for encoding, half in halves.items() if half.count(NUL) > LATIN_SHARE * len(half))
    return ("utf-8", "cp1252")
