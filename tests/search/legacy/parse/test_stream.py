import bz2
import gzip
import io
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exceptions import InputError
from search.legacy.parse import stream
from search.legacy.parse.stream import Piece, head, read_lines, read_pieces, read_text, survey

PACKERS = {"plain": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
TEXT = "Trial 1 ✓\nTrial 2\r\n 50%|█\r100%|█\nend\n"


def pieces(path, longest=100):
    return list(read_pieces(path, survey(path, 2**20, "too large").encoding, longest))


@pytest.mark.parametrize("pack", PACKERS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_text_is_the_same_in_every_encoding_and_packing(tmp_path, pack, encoding):
    text = TEXT + "Trial 3\n" * 40
    (tmp_path / "x").write_bytes(PACKERS[pack](text.encode(encoding)))
    found = survey(tmp_path / "x", 2**20, "too large")
    assert read_text(tmp_path / "x", found.encoding) == text
    assert found.digest == survey_of(tmp_path, text.encode(encoding))


def survey_of(tmp_path, data):
    (tmp_path / "plain").write_bytes(data)
    return survey(tmp_path / "plain", 2**20, "too large").digest


def test_lines_are_counted_and_what_overwrites_itself_is_parted(tmp_path):
    (tmp_path / "x").write_bytes(TEXT.encode() + b"open")
    assert pieces(tmp_path / "x") == [
        Piece(1, "Trial 1 ✓", True),
        Piece(2, "Trial 2", True),
        Piece(3, " 50%|█", True),
        Piece(3, "100%|█", True),
        Piece(4, "end", True),
        Piece(5, "open", False),
    ]


@given(st.text(st.sampled_from("ab\r\n✓"), max_size=40), st.integers(1, 9))
def test_pieces_do_not_depend_on_how_much_is_read_at_once(tmp_path, text, chunk):
    (tmp_path / "x").write_bytes(text.encode())
    whole = pieces(tmp_path / "x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "CHUNK", chunk)
        assert pieces(tmp_path / "x") == whole
    ended = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert [piece.text for piece in whole] == (ended if ended[-1] else ended[:-1])


@pytest.mark.parametrize("pack", PACKERS)
@given(text=st.text(st.sampled_from("ab\r\n✓\u2028"), max_size=40))
def test_lines_are_those_of_a_text_that_is_held(tmp_path, pack, text):
    (tmp_path / "x").write_bytes(PACKERS[pack](text.encode("utf-16")))
    assert list(read_lines(tmp_path / "x", "utf-16", 100)) == list(io.StringIO(text, newline=""))
    assert all(len(part) <= 3 for part in read_lines(tmp_path / "x", "utf-16", 3))
    assert "".join(read_lines(tmp_path / "x", "utf-16", 3)) == text


def test_a_line_without_end_is_not_held(tmp_path):
    (tmp_path / "x").write_bytes(b"a" * 2**19 + b"\nb\n")
    assert [len(piece.text) for piece in pieces(tmp_path / "x", longest=10)] == [11, 1]


@pytest.mark.parametrize("pack", ["gz", "bz2", "xz"])
def test_a_packed_file_that_is_not_whole_is_refused_in_words(tmp_path, pack):
    packed = PACKERS[pack](TEXT.encode() * 50)
    for name, data in (("cut", packed[:-12]), ("bad", packed[:12] + b"xxxx" + packed[16:])):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match="a packed file must be whole"):
            survey(tmp_path / name, 2**20, "too large")


def test_a_packed_file_is_bounded_by_what_it_holds(tmp_path):
    (tmp_path / "x").write_bytes(gzip.compress(b"a" * 2**22))
    with pytest.raises(InputError, match="too large"):
        survey(tmp_path / "x", 2**20, "too large")


def test_the_beginning_of_what_is_no_file_is_empty(tmp_path):
    (tmp_path / "x").write_bytes(TEXT.encode("utf-16"))
    assert head(tmp_path / "x").startswith("Trial 1") or "Trial 1" in head(tmp_path / "x")
    assert (head(tmp_path / "none"), head(tmp_path)) == ("", "")
