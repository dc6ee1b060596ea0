import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.spec.architecture import Architecture
from pipeline.exceptions import InputError
from search.space.axes import Axes
from search.space.window import RULE, left_out, possible_windows, standard_window

SIZES = {"n_features": 3, "d_model": 8, "n_layers": 1, "n_heads": 1, "d_ff": 8}
values = st.lists(st.integers(1, 70), max_size=4).map(tuple)


def read_days(context, patch, stride):
    """Days of a window that lie in a patch, told day by day: patches end with the last one."""
    ends = range(context, patch - 1, -stride)
    return {day for end in ends for day in range(end - patch, end)}


@pytest.mark.lesson("L12")
@given(st.builds(Axes, context_length=values, patch_length=values, stride=values))
def test_a_combination_is_possible_where_a_patch_holds_every_day_and_no_other_is_left_out(axes):
    every = axes.with_window(standard_window({}))
    asked = {(c, p, s) for c in every.context_length for p in every.patch_length for s in every.stride}
    whole = {(c, p, s) for c, p, s in asked if s <= p and read_days(c, p, s) == set(range(c))}
    if not whole:
        with pytest.raises(InputError, match="every day of a window must lie in a patch"):
            possible_windows(axes, {})
        assert left_out(every) == ""
        return
    found = possible_windows(axes, {})
    assert {tuple(each.values()) for each in found} == whole and len(found) == len(whole)
    assert all(Architecture(**SIZES, **each).reads_every_day for each in found)
    assert bool(left_out(every)) == (whole != asked)


def test_what_is_not_asked_for_stays_as_it_is_whatever_the_rule_says():
    """A stored study of an odd stride is enumerated as it was."""
    assert possible_windows(Axes(), {"stride": 4}) == [{"context_length": 60, "patch_length": 10, "stride": 4}]
    with pytest.raises(InputError, match="stride 4"):
        possible_windows(Axes(patch_length=(10,)), {"stride": 4})


def test_an_impossible_window_is_refused_by_rule_value_and_remedy():
    with pytest.raises(InputError) as refused:
        possible_windows(Axes(context_length=(10, 20), patch_length=(30,)), {"stride": 5})
    got = "context_length 10,20, patch_length 30, stride 5"
    assert str(refused.value) == f"{RULE}; got {got}: take longer contexts, shorter patches or another --stride"


def test_few_of_many_combinations_that_are_left_out_are_named():
    axes = Axes(context_length=(10,), patch_length=tuple(range(10, 20)), stride=(10,))
    assert left_out(axes).startswith("left out: c10p11s10, c10p12s10, ") and " and 3 more; every day" in left_out(axes)
