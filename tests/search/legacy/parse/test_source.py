import gzip
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.exceptions import InputError, PatchscaleError, StoreError
from search.legacy.parse import source
from search.legacy.parse.source import KINDS, read_source
from search.legacy.record.importer import parse_files


@settings(max_examples=150)
@given(data=st.binary() | st.text().map(str.encode), kind=st.sampled_from(KINDS))
def test_random_bytes_are_refused_in_one_line_or_hold_no_trial(tmp_path, data, kind):
    path = tmp_path / "hostile"
    path.write_bytes(data)
    try:
        [(_, report)] = parse_files([path], kind)
    except PatchscaleError as error:
        assert error.exit_code == 2
        assert "\n" not in str(error)
    else:
        assert report.trials == []


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.json", b"\x7fELF\0\0", "NUL byte in x.json line 1"),
        ("x.csv", b"a,b\n1\0,2\n", "NUL byte in x.csv line 2"),
        ("x.log", b"ok\nok\n\xff\xfe\n", "other bytes in x.log line 3"),
        ("x.json", "[1]\0".encode("utf-16"), "NUL byte"),
        ("x.parquet", b"PAR1", "say it with --kind csv or json or log"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, monkeypatch, name, data, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=words):
        read_source((tmp_path / name).relative_to(tmp_path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["x.json", "x.json.gz"])
def test_every_kind_is_read_in_any_encoding_and_packing(tmp_path, name, encoding):
    data = json.dumps([{"number": n} for n in range(9)]).encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    source = read_source(tmp_path / name)
    assert (source.kind, json.loads(source.text)[8], source.folder) == ("json", {"number": 8}, tmp_path.name)


def test_a_byte_order_mark_is_no_content(tmp_path):
    (tmp_path / "x.json").write_bytes(b"\xef\xbb\xbf[]")
    assert read_source(tmp_path / "x.json").text == "[]"


def test_a_huge_file_is_refused_without_being_read(tmp_path, monkeypatch):
    with (tmp_path / "x.log").open("wb") as handle:
        handle.truncate(10 * source.MEBIBYTE)
    monkeypatch.setitem(source.SIZE_LIMITS, "log", 2 * source.MEBIBYTE)
    with pytest.raises(InputError, match="at most 2 MiB, got more"):
        read_source(tmp_path / "x.log")


def test_what_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.log")
    for path in (tmp_path / "pipe.log", tmp_path):
        with pytest.raises(InputError, match="must be a regular file"):
            read_source(path, "log")


def test_a_missing_or_unreadable_file_is_named(tmp_path):
    with pytest.raises(StoreError, match="No such file"):
        read_source(tmp_path / "none.log")
    with pytest.raises(StoreError, match=r"\\n"):
        read_source(tmp_path / "two\nlines.log")
    with pytest.raises(StoreError):
        read_source(tmp_path / "nul\0.log")
