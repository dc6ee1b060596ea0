from __future__ import annotations

import numpy as np
import pytest

from pipeline.exceptions import DataError
from pipeline.splits.base_rates import LabelCount, base_rates
from pipeline.splits.splits import SplitRows

ROWS = SplitRows(train=np.arange(4), validation=np.arange(5, 8), test=np.arange(9, 11))


def test_each_part_is_counted():
    labels = np.array([1.0, 0, 0, 0, np.nan, 1, 1, 0, np.nan, 0, 1])
    rates = base_rates(labels, ROWS)
    assert rates == {
        "train": LabelCount(days=4, positives=1),
        "validation": LabelCount(days=3, positives=2),
        "test": LabelCount(days=2, positives=1),
    }
    assert rates["train"].rate == 0.25


@pytest.mark.lesson("L15")
@pytest.mark.parametrize("constant", [0.0, 1.0])
@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_labels_of_one_class_are_refused(constant, part):
    labels = np.tile([0.0, 1.0], 6)
    labels[getattr(ROWS, part)] = constant
    with pytest.raises(DataError, match=f"labels of {part} must hold both classes"):
        base_rates(labels, ROWS)


def test_a_sample_without_a_label_is_our_mistake():
    with pytest.raises(AssertionError):
        base_rates(np.full(12, np.nan), ROWS)
