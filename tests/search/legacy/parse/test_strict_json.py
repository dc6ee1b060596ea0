import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exceptions import InputError
from search.legacy.parse.strict_json import MAX_DIGITS, NotAListError, entry_lines, list_entries, parse_json

FIRST_ABSURD = 10**MAX_DIGITS
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(1 - FIRST_ABSURD, FIRST_ABSURD - 1)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
entries = st.lists(st.dictionaries(st.text(), values, max_size=3), max_size=5)


@given(st.text())
def test_any_text_is_parsed_or_refused(text):
    try:
        parse_json(text, "x.json")
    except InputError as error:
        assert "\n" not in str(error)


@given(entries, st.sampled_from([None, 2]), st.booleans())
def test_every_entry_begins_on_a_line(found, indent, ascii_only):
    bare = json.dumps(found, indent=indent, ensure_ascii=ascii_only)
    wrapped = json.dumps({"a": found, "trials": found, "z": {"trials": found}}, indent=indent, ensure_ascii=ascii_only)
    assert len(entry_lines(bare, wrapped=False)) == len(found)
    assert len(entry_lines(wrapped, wrapped=True)) == len(found)


def test_an_escaped_key_is_the_same_key():
    assert entry_lines('{"tr\\u0069als": [{}]}', wrapped=True) == [1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"number": 0}, {"num', "half-written"),
        ("", "half-written"),
        ('{"a": 1, "a": 2}', "one twice"),
        ("[" * 100_000, "too many levels"),
        ('{"a":' * 100_000, "too many levels"),
    ],
)
def test_what_is_refused(text, words):
    with pytest.raises(InputError, match=words):
        parse_json(text, "x.json")


def test_a_number_of_absurd_length_stays_text():
    digits = "9" * 10_000
    assert parse_json(f"[{digits}]", "x.json") == [digits]
    kept = [FIRST_ABSURD - 1, 1 - FIRST_ABSURD, str(FIRST_ABSURD), str(-FIRST_ABSURD)]
    assert parse_json(f"[{', '.join(map(str, kept))}]", "x.json") == kept


def parts_of(text, length):
    return [text[at : at + length] for at in range(0, len(text), length)]


@given(entries, st.sampled_from([None, 2]), st.integers(1, 30))
def test_a_list_in_parts_is_the_list(found, indent, length):
    text = f" {json.dumps(found, indent=indent)}\n"
    assert list(list_entries(parts_of(text, length), len(text))) == found


@given(entries, st.data())
def test_what_is_no_whole_list_of_objects_is_none(found, data):
    text = json.dumps(found)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    other = data.draw(
        st.sampled_from([cut, f"{text},", f"{text}{text}", f"[{text}]", f"[1, {text[1:]}", "{}", "[{},]"])
    )
    with pytest.raises(NotAListError):
        list(list_entries(parts_of(other, 7), len(other)))


@pytest.mark.parametrize("text", ['[{"a": 1, "a": 2}]', '[{"a": ' + "[" * 100_000 + "]" * 100_000 + "}]"])
def test_a_list_is_parsed_as_strictly(text):
    with pytest.raises(NotAListError):
        list(list_entries([text], len(text)))


def test_of_an_object_without_end_only_so_much_is_held():
    read = []

    def parts():
        for number in range(100):
            read.append(number)
            yield '[{"a": "' if number == 0 else "x" * 100

    with pytest.raises(NotAListError):
        list(list_entries(parts(), 500))
    assert len(read) < 10
