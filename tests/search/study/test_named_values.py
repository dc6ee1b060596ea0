from hypothesis import given
from hypothesis import strategies as st

from search.study.named_values import differing_values, read_values, write_values

VALUES = st.dictionaries(st.from_regex(r"[a-z_]+", fullmatch=True), st.from_regex(r"[a-z0-9. -]+", fullmatch=True))


@given(values=VALUES)
def test_what_is_written_is_read_and_its_order_does_not_matter(values):
    assert read_values(write_values(values)) == values
    assert write_values(dict(reversed(values.items()))) == write_values(values)


@given(mine=VALUES, theirs=VALUES)
def test_every_difference_is_named_and_nothing_else(mine, theirs):
    lines = differing_values(write_values(mine), write_values(theirs))
    different = {name for name in {*mine, *theirs} if mine.get(name) != theirs.get(name)}
    assert sorted(line.split()[0] for line in lines) == sorted(different)


def test_a_value_that_is_not_there_is_said_to_be_none():
    assert differing_values("a=1", "b=2") == ["a 1 there, none here", "b none there, 2 here"]
