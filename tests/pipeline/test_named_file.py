"""Whatever somebody writes, a file that is named by it lies in the directory that is meant."""

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets.dataset import dataset_path
from pipeline.exceptions import InputError
from pipeline.named_file import LONGEST, child, is_file_name, own_file
from pipeline.snapshots.snapshot import snapshot_path

WRITTEN = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    st.text(alphabet="./\\ä\n\t", max_size=8),
    st.builds(lambda letter, count: letter * count, st.sampled_from("xä."), st.integers(LONGEST - 8, 10_000)),
)


def lies_in(path, directory):
    """Whether a path, followed as the system does, is a file directly in a directory."""
    return os.path.dirname(os.path.normpath(path)) == str(directory)


@given(WRITTEN)
def test_a_child_lies_in_its_directory_under_its_own_name_or_is_refused(tmp_path_factory, name):
    directory = tmp_path_factory.getbasetemp() / "nothing"
    try:
        found = child(directory, name, "study")
    except InputError as refused:
        assert not is_file_name(name)
        assert repr(name)[:20] in str(refused)
    else:
        assert lies_in(found, directory)
        assert found.name == name
        assert not found.exists()  # the system takes it for a name


@given(WRITTEN, WRITTEN)
def test_every_name_has_a_file_of_its_own(tmp_path_factory, name, other):
    directory = tmp_path_factory.getbasetemp() / "nothing"
    found = own_file(directory, name, ".lock")
    assert lies_in(found, directory)
    assert not found.exists()
    assert (found == own_file(directory, other, ".lock")) == (name == other)


@pytest.mark.skipif(sys.platform == "win32", reason="names of bytes")
def test_a_name_that_is_no_text_has_one_too(tmp_path):
    assert lies_in(own_file(tmp_path, os.fsdecode(b"\xff/"), ".lock"), tmp_path)


@given(WRITTEN)
def test_data_lie_below_their_directories_whatever_they_are_called(tmp_path_factory, name):
    root = tmp_path_factory.getbasetemp() / "nothing"
    try:
        path = snapshot_path(root, name, "0" * 8)
    except InputError:
        assert len(name) > LONGEST or not name
    else:
        assert lies_in(path.parent, root / "snapshots")
        assert path.parent != root
    try:
        assert lies_in(dataset_path(root, name), root / "datasets")
    except InputError:
        assert not is_file_name(f"{name}.parquet")
