from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.splits.disjoint import prove_disjoint


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
            prove_disjoint(parts, horizon)
    else:
        proof = prove_disjoint(parts, horizon)
        assert proof.shared == {("train", "test"): 0}
        assert [(span.first_seen, span.last_seen) for span in proof.spans] == [(min(s), max(s)) for s in seen]


def test_every_pair_is_compared():
    parts = {"train": np.arange(5), "validation": np.arange(10, 15), "test": np.arange(20, 25)}
    proof = prove_disjoint(parts, 3)
    assert set(proof.shared) == {("train", "validation"), ("train", "test"), ("validation", "test")}
    assert "validation and test: 0 rows shared" in proof.text()


def test_an_empty_part_has_nothing_to_prove():
    assert len(prove_disjoint({"train": np.arange(5), "test": np.array([], dtype=int)}, 3).spans) == 1
