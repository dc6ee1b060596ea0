from __future__ import annotations

import torch

from model.network.scratch import Scratch


def test_the_same_memory_is_given_for_the_same_name_and_shape_alone() -> None:
    scratch, like = Scratch(), torch.zeros(1, dtype=torch.float64)
    first = scratch("a", like, 2, 3)
    assert first.shape == (2, 3) and first.dtype == torch.float64
    assert scratch("a", like, 2, 3) is first
    others = [scratch("b", like, 2, 3), scratch("a", like, 3, 2), Scratch()("a", like, 2, 3)]
    assert first.data_ptr() not in [other.data_ptr() for other in others]
