from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.splits.disjoint import assert_disjoint_labels


@given(
    first=st.sets(st.integers(0, 20), min_size=1),
    second=st.sets(st.integers(15, 40), min_size=1),
    horizon=st.integers(1, 6),
)
def test_the_proof_holds_exactly_where_no_label_day_is_shared(first, second, horizon):
    parts = {"train": np.array(sorted(first)), "test": np.array(sorted(second))}
    seen = [{row + ahead for row in rows for ahead in range(1, horizon + 1)} for rows in (first, second)]
    if seen[0] & seen[1] or max(first) >= min(second):
        with pytest.raises(AssertionError):
            assert_disjoint_labels(parts, horizon)
    else:
        assert_disjoint_labels(parts, horizon)


def test_every_pair_is_compared():
    parts = {"train": np.arange(5), "validation": np.arange(10, 15), "test": np.arange(20, 25)}
    assert_disjoint_labels(parts, 3)
    for one, other, row in (("train", "validation", 8), ("validation", "test", 18), ("train", "test", 18)):
        pair = {name: parts[name] if name in (one, other) else parts[name][:0] for name in parts}
        with pytest.raises(AssertionError, match=f"rows of {one} and {other}"):
            assert_disjoint_labels({**pair, one: np.append(parts[one], row)}, 3)


def test_an_empty_part_has_nothing_to_prove():
    assert_disjoint_labels({"train": np.arange(5), "test": np.array([], dtype=int)}, 3)
