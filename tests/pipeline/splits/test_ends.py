from datetime import date

import pytest

from pipeline.exceptions import InputError
from pipeline.splits.ends import read_ends


def test_auto_leaves_the_days_to_the_data():
    assert read_ends("split", "auto") is None


def test_three_days_are_read_in_their_order():
    ends = read_ends("split", "2014-12-31/2016-12-31/9999-12-31")
    assert ends == (date(2014, 12, 31), date(2016, 12, 31), date.max)


@pytest.mark.parametrize(
    "text", ["", "someday", "2014-12-31", "2014-12-31/2016-12-31", "2014-12-31/9999-12-31/9999-12-31"]
)
def test_another_form_is_refused_with_an_example(text):
    with pytest.raises(InputError, match="split must be auto or TRAIN_END/VALIDATION_END/TEST_END in ISO dates, got"):
        read_ends("split", text)
