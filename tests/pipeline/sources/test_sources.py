from __future__ import annotations

import pytest

from pipeline.exceptions import InputError
from pipeline.sources import SOURCES, open_source


def test_every_name_opens(market):
    assert open_source("sample").name == "sample"
    assert open_source("yahoo").name == "yahoo"
    assert open_source("csv", directory=market, adjusted=False).name == "csv"
    assert {"sample", "yahoo", "csv"} == set(SOURCES)


@pytest.mark.parametrize(("setting", "adjusted"), [("yes", True), ("no", False)])
def test_csv_can_be_typed_on_a_command_line(market, setting, adjusted):
    source = open_source(f"csv:{market}?adjusted={setting}")
    assert source.directory == market and source.adjusted is adjusted


@pytest.mark.parametrize("text", ["csv", "csv:", "csv:.", "csv:.?adjusted=", "csv:.?adjusted=1", "csv:?adjusted=yes"])
def test_csv_must_say_directory_and_adjusted(text):
    with pytest.raises(InputError, match=r"csv:DIRECTORY\?adjusted=yes"):
        open_source(text)


def test_settings_of_csv_beside_another_source_are_refused(market):
    with pytest.raises(InputError, match="only source csv"):
        open_source("sample", directory=market)
    with pytest.raises(InputError, match="once"):
        open_source(f"csv:{market}?adjusted=yes", adjusted=True)


def test_an_unknown_source_is_named():
    with pytest.raises(InputError, match="got 'bloomberg'"):
        open_source("bloomberg")
