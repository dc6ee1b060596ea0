from __future__ import annotations

import pytest

from pipeline.exceptions import DataError
from pipeline.sources.files.encoding import decode

TEXT = "Dâte,Öpen\n2015-01-02,1€\n"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"),
        ("utf-32", "utf-32"),
        ("cp1252", "cp1252"),
    ],
)
def test_a_text_is_read_in_the_encoding_that_it_is_in(encoding, said):
    assert decode(TEXT.encode(encoding)) == (TEXT, said)


@pytest.mark.parametrize("content", [b"\x00\x01\x02\x03", b"\x81\x8d", b"\xff\xfe\x00", b"PK\x03\x04\x00\x00"])
def test_what_is_no_text_is_refused(content):
    with pytest.raises(DataError, match="must be a text file"):
        decode(content)
