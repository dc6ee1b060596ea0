from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.exceptions import SealedError
from pipeline.splits.holdout import HoldoutOpening, require_unsealed, seal_labels
from pipeline.splits.splits import Split

DAYS = pd.bdate_range("2020-01-01", "2020-12-31")
OPENED = HoldoutOpening(model_version="m/1", opened_at="2026-01-01T00:00:00+00:00", commit="unknown", dirty="unknown")


def split(test_start):
    return Split(
        train_start=date(2019, 1, 1),
        train_end=date(2019, 6, 30),
        validation_start=date(2019, 7, 1),
        validation_end=date(2019, 12, 31),
        test_start=test_start,
        test_end=date(2021, 12, 31),
    )


@pytest.mark.lesson("L22")
@example(start=date(2020, 12, 24), horizon=7)
@given(start=st.dates(date(2020, 1, 10), date(2021, 1, 31)), horizon=st.integers(1, 7))
def test_no_label_that_looks_at_a_test_day_is_left_and_every_other(start, horizon):
    labels = np.ones(len(DAYS))
    sealed = seal_labels(labels, DAYS, split(start), horizon=horizon)
    looks_at = DAYS[np.minimum(np.arange(len(DAYS)) + horizon, len(DAYS) - 1)]
    in_test = (DAYS >= pd.Timestamp(start)) | (looks_at >= pd.Timestamp(start))
    assert np.isnan(sealed[in_test]).all()
    assert (sealed[~in_test] == 1).all()
    assert (labels == 1).all()
    assert (seal_labels(labels, DAYS, split(start), horizon=horizon, opening=OPENED) == 1).all()


@pytest.mark.lesson("L22")
def test_days_of_the_test_split_are_refused_by_name():
    require_unsealed(DAYS[:10], split(DAYS[10].date()), "report")
    with pytest.raises(
        SealedError, match=r"report must end before the sealed test split of 2020-01-15, got 2020-01-15"
    ):
        require_unsealed(DAYS[:11], split(DAYS[10].date()), "report")
