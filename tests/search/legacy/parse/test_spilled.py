import math
import tempfile
from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exceptions import StoreError
from search.legacy.parse import spilled
from search.legacy.parse.spilled import Spilled
from search.legacy.recover.architecture import Resolved
from search.legacy.recover.trial import LegacyOutcome, LegacyTrial

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=5,
)


@given(st.lists(PLAIN, max_size=8), st.booleans(), st.slices(8))
def test_it_is_the_list_of_its_items(items, held, cut):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spilled, "HELD", 2**20 if held else 1)
        found = Spilled(items)
    assert found == items and list(found) == items and found[cut] == items[cut] and len(found) == len(items)
    assert [found[at] for at in range(-len(items), len(items))] == items + items
    assert found != [*items, None] and Spilled(items[::-1]) == items[::-1]


def test_what_is_added_between_readings_stands_at_the_end(monkeypatch):
    monkeypatch.setattr(spilled, "HELD", 1)
    found = Spilled()
    assert [found.append(each) for each in "abc"] == [0, 1, 2] and found[0] == "a"
    assert found.append("d") == 3
    assert "".join(found) == "abcd" and [*pairwise(found)][-1] == ("c", "d")
    for at in (4, -5):
        with pytest.raises(IndexError):
            found[at]


def test_a_trial_is_the_same_to_the_last_value():
    trial = LegacyTrial(
        form="log A",
        where="line 7",
        content="{}",
        study="s\x1b\udcff",
        architecture=Resolved(d_model=64, flags=("x",)),
        training={"learning_rate": 0.1 + 0.2, "epochs": 3},
        outcome=LegacyOutcome(status="FINISHED", reason="complete", value=5e-324),
        curves={"val/loss": {1: -0.0}},
    )
    [read] = Spilled([trial])
    assert read == trial and repr(read) == repr(trial) and read.fingerprint == trial.fingerprint
    assert math.copysign(1, read.curves["val/loss"][1]) == -1


def test_without_room_it_names_the_directory(monkeypatch, tmp_path):
    def full(_):
        raise OSError(28, "No space left on device")

    found = Spilled()
    monkeypatch.setattr(found._file, "write", full)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(StoreError, match=r"No space left on device in .*; free some, or name another directory by TM"):
        found.append(1)
    assert found._ends == array("Q", [0])
