from __future__ import annotations

import pytest

from pipeline.accepted import ACCEPTABLE, read_accepted
from pipeline.checks import CHECKS, Severity
from pipeline.exceptions import InputError


def test_what_can_be_accepted_are_errors_of_single_days():
    errors = {check.name for check in CHECKS if check.severity is Severity.ERROR}
    assert set(ACCEPTABLE) <= errors


def test_days_alone_are_of_the_check_before_them_and_each_counts_once():
    text = "missing_sessions:2010-05-06, 2010-05-07,non_sessions:2012-01-07,missing_sessions:2010-05-06"
    assert read_accepted("accept", text) == (
        "missing_sessions:2010-05-06",
        "missing_sessions:2010-05-07",
        "non_sessions:2012-01-07",
    )


@pytest.mark.parametrize(
    "text", ["2010-05-06", "missing_sessions", "missing_sessions:", "missing_sessions:May 6", "schema:2010-05-06", ","]
)
def test_another_form_is_refused(text):
    with pytest.raises(InputError, match="accept must be CHECK:DAY"):
        read_accepted("accept", text)
