from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exceptions import InputError
from pipeline.sources.files.settings import DATE_ORDERS, DECIMALS, FileSettings, parse_settings


@given(
    adjusted=st.booleans(),
    dates=st.sampled_from(["", *DATE_ORDERS]),
    decimal=st.sampled_from(["", *DECIMALS]),
    zone=st.sampled_from(["", "Europe/Madrid"]),
    ticker=st.sampled_from(["", "SPY.US"]),
    directory=st.sampled_from(["bars", "my bars", "what?", "a/b"]),
)
def test_what_is_typed_is_read_back(adjusted, dates, decimal, zone, ticker, directory):
    settings = FileSettings(
        directory=Path(directory), adjusted=adjusted, dates=dates, decimal=decimal, zone=zone, ticker=ticker
    )
    assert parse_settings(settings.text) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("csv:bars?dates=dmy", r"must be written csv:DIRECTORY\?adjusted=yes or"),
        ("csv:bars?adjusted=maybe", "must be written"),
        ("csv:bars?adjusted=no&dates=ddmm", "dates of source csv must be ymd or dmy or mdy, got 'ddmm'"),
        ("csv:bars?adjusted=no&decimal=,", "decimal of source csv must be point or comma, got ','"),
        ("csv:bars?adjusted=no&zone=Madrid", "zone of source csv must be a time zone such as Europe/Madrid"),
        ("csv:bars?adjusted=no&zone=../etc", "zone of source csv must be"),
        ("csv:bars?adjusted=no&ticker=", "ticker of source csv must not be empty"),
        ("csv:bars?adjusted=no&colour=red", "got 'colour'"),
        ("csv:bars?adjusted=no&dates=dmy&dates=mdy", "got one of them twice"),
    ],
)
def test_a_setting_of_another_form_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_settings(text)
