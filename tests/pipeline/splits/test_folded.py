from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.exceptions import InputError
from pipeline.splits.folded import folded_split
from pipeline.splits.splits import Split


@settings(max_examples=30)
@given(n_folds=st.integers(1, 30), first=st.integers(1990, 2015), month=st.sampled_from([1, 7]))
def test_a_folded_split_validates_on_whole_years_up_to_the_test_or_is_refused(n_folds, first, month):
    dates = pd.bdate_range(date(first, 1, 2), "2024-12-31")
    split = Split(
        train_start=dates[0].date(),
        train_end=date(2020, 12, 31),
        validation_start=date(2021, 1, 1),
        validation_end=date(2023, month, 1) - timedelta(days=1),
        test_start=date(2023, month, 1),
        test_end=date(2024, 12, 31),
    )
    if 2023 - n_folds < first + 4:
        with pytest.raises(InputError, match="take --folds"):
            folded_split(split, n_folds, dates)
        return
    found = folded_split(split, n_folds, dates)
    assert (found.validation_start, found.validation_end) == (date(2023 - n_folds, 1, 1), date(2022, 12, 31))
    assert found.train_end == date(2022 - n_folds, 12, 31)
    assert (found.train_start, found.test_start, found.test_end) == (
        split.train_start,
        split.test_start,
        split.test_end,
    )
