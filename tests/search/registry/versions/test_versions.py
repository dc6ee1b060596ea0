import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exceptions import InputError
from search.registry.versions.aliases import move_champion
from search.registry.versions.versions import (
    every_version,
    find_version,
    parse_version,
    require_tag,
    version_name,
    versions_of,
)


@given(
    name=st.text(st.sampled_from("ABh1-._^=+"), min_size=1, max_size=30),
    number=st.integers(0, 10**9 - 1),
    alias=st.text(st.sampled_from("abz019_-"), min_size=1, max_size=20),
)
def test_both_forms_read_back(name, number, alias):
    assert parse_version(f"{name}/{number}") == (name, number, "")
    assert parse_version(f"{name}@{alias}") == (name, None, alias)
    assert parse_version(f"models:/{name}/{number}") == (name, number, "")


@pytest.mark.parametrize(
    "text", ["", "SPY", "a/", "a/x", "a@", "/1", "@champion", "a/1/2", "a@b@c", "a/-1", "a/²", "a b:c/1"]
)
def test_what_is_neither_form_is_refused(text):
    with pytest.raises(InputError, match="must be written NAME/NUMBER or NAME@ALIAS, for instance"):
        parse_version(text)


def test_a_version_is_found_by_number_and_by_alias(shelf):
    shelf.add("patchscale-^GSPC-h1", 12)
    shelf.set_registered_model_alias("patchscale-^GSPC-h1", "champion", "2")
    by_alias = find_version(shelf, "patchscale-^GSPC-h1@champion")
    assert (version_name(by_alias), by_alias.aliases) == ("patchscale-^GSPC-h1/2", ["champion"])
    assert version_name(find_version(shelf, "patchscale-^GSPC-h1/10")) == "patchscale-^GSPC-h1/10"
    assert [int(v.version) for v in versions_of(shelf, "patchscale-^GSPC-h1")] == list(range(1, 13))


def test_every_version_is_found_beyond_a_page(shelf, monkeypatch):
    monkeypatch.setattr("search.tracking.reader.PAGE", 2)
    shelf.add("a", 3)
    shelf.add("b", 2)
    assert sorted(map(version_name, every_version(shelf))) == ["a/1", "a/2", "a/3", "b/1", "b/2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("c/1", "a model must be one of the registry's, a, b, got 'c'; patchscale register STUDY makes one"),
        ("a/3", "a version of a must be one of 1, 2, got 3"),
        ("a@champion", "an alias of a must be one of none, got 'champion'"),
        ("b@best", "an alias of b must be one of challenger, got 'best'"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(shelf, text, words):
    shelf.add("a", 2)
    shelf.add("b", 1)
    shelf.set_registered_model_alias("b", "challenger", "1")
    with pytest.raises(InputError) as error:
        find_version(shelf, text)
    assert words in str(error.value)


def test_an_empty_registry_says_none(shelf):
    with pytest.raises(InputError, match="one of the registry's, none, got 'a'"):
        find_version(shelf, "a/1")


def test_a_version_of_somebody_else_is_told_apart(shelf):
    shelf.add("a", 1)
    with pytest.raises(
        InputError, match=r"a/1 must have been registered by patchscale, got a version without study.name"
    ):
        require_tag(find_version(shelf, "a/1"), "study.name")


def test_a_command_that_is_told_quotes_a_name_with_blanks(shelf):
    shelf.add("my model", 2)
    for number in (2, 1):
        move_champion(shelf, "my model", number, how="gate")
    shelf.delete_model_version("my model", "1")
    with pytest.raises(InputError) as error:
        find_version(shelf, "my model@champion")
    told = [shlex.split(part)[:3] for part in re.findall(r"patchscale [^;,]*", str(error.value))]
    assert told == [["patchscale", "rollback", "my model"], ["patchscale", "promote", "my model/NUMBER"]]


def test_a_champion_that_was_deleted_is_said_with_the_way_back(shelf):
    shelf.add("m", 3)
    for number in (2, 1):
        move_champion(shelf, "m", number, how="gate")
    shelf.delete_model_version("m", "1")
    with pytest.raises(
        InputError, match=r"m has no champion \(version 1 was deleted\); patchscale rollback m makes version 2 champion"
    ):
        find_version(shelf, "m@champion")
    shelf.set_registered_model_alias("m", "champion", "2")
    shelf.delete_registered_model_alias("m", "champion")
    move_champion(shelf, "m", 3, how="gate")
    shelf.delete_registered_model_alias("m", "champion")
    with pytest.raises(InputError, match=r"no champion \(the alias was taken from version 3\)"):
        find_version(shelf, "m@champion")
    for number in (2, 3):
        shelf.delete_model_version("m", str(number))
    with pytest.raises(InputError, match=r"\(version 3 was deleted\); .* register a study for a version$"):
        find_version(shelf, "m@champion")
