from dataclasses import replace

import pytest

from model.spec.migrations import SCHEMA
from search.audit.audit import Audit
from search.audit.text import audit_in_words, issues_in_words

WHOLE = Audit(
    study="s",
    finished=2,
    target=2,
    values={"d_model": {8: 1, 16: 1}},
    extremes={"d8-L2-h1-ff32 (smallest d_model)": True},
    not_in_grid={},
    duplicates=(),
    invalid=(),
    disagreements=(),
    failed=0,
    interrupted=0,
    gaps=(),
    record_schemas={},
)


def test_a_whole_study_lacks_nothing_and_has_no_issue():
    assert audit_in_words(WHOLE)[-1] == "nothing is missing"
    assert issues_in_words(WHOLE) == ["1 of 1 extremes"]


def test_values_are_told_apart_by_what_became_of_them():
    found = replace(WHOLE, values={"d_model": {8: 3, 16: 0, 32: 0}}, not_in_grid={"d_model": [64]})
    text = "\n".join(audit_in_words(found))
    assert "tested 8 (3)" in text and "not tested 16, 32" in text and "not in grid 64" in text
    assert "d_model not tested: 16, 32" in text
    assert "d=64 not in grid" in issues_in_words(found)
    assert "tested none" in "\n".join(audit_in_words(replace(WHOLE, values={"d_model": {8: 0}})))


def test_everything_that_is_missing_is_a_line():
    problems = {"duplicates": ("twice",), "invalid": ("broken",), "disagreements": ("apart",)}
    found = replace(WHOLE, finished=1, extremes={"d8": False}, **problems)
    lines = audit_in_words(found)
    assert [f"  {each}" for each in found.missing] == lines[lines.index("missing") + 1 :]
    assert "  MISSING  d8" in lines and len(found.missing) == 5


@pytest.mark.lesson("L31")
def test_trials_that_went_wrong_are_said_although_nothing_is_missing():
    found = replace(WHOLE, failed=1, interrupted=2)
    assert "1 trials failed, 2 interrupted wait to be run again" in audit_in_words(found)
    assert issues_in_words(found)[1:] == ["1 failed trial", "2 interrupted trials to run again"]


def test_records_of_an_older_schema_are_counted_and_those_of_today_are_not():
    lines = audit_in_words(replace(WHOLE, record_schemas={SCHEMA - 1: 3, SCHEMA: 2}))
    assert [line for line in lines if line.startswith("record.schema")] == [
        f"record.schema {SCHEMA - 1} in 3 trials, read with what such records lack"
    ]


@pytest.mark.parametrize("name", ["duplicates", "invalid", "disagreements"])
def test_issues_are_counted_one_and_many(name):
    (one,) = issues_in_words(replace(WHOLE, **{name: ("a",)}))[1:]
    (two,) = issues_in_words(replace(WHOLE, **{name: ("a", "b")}))[1:]
    assert one.startswith("1 ") and two.startswith("2 ")
    assert two != one.replace("1", "2"), "one is singular"


def test_long_names_of_axes_do_not_run_into_what_is_said_of_them():
    found = replace(WHOLE, values={"d_model": {8: 1}, "context_length": {20: 0, 60: 2}}, not_in_grid={"stride": [7]})
    text = audit_in_words(found)
    assert "  context_length  tested 60 (2)" in text and "                  not tested 20" in text
    assert "s=7 not in grid" in issues_in_words(found)
