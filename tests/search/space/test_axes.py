import pytest

from model.spec.budget import Budget
from pipeline.exceptions import InputError
from search.space.axes import ALL_AXES, EXAMPLES, WINDOW_AXES, Axes, axis_text, read_axis


@pytest.mark.parametrize("name", ALL_AXES)
def test_an_axis_reads_back_as_it_is_written(name):
    assert axis_text(read_axis(name, EXAMPLES[name])) == EXAMPLES[name]
    assert read_axis(name, "  ") == ()


@pytest.mark.parametrize("text", ["0", "-2", "1.5", "many", "4,,8", "4,", "1e3"])
def test_a_bad_axis_is_refused_with_rule_value_and_remedy(text):
    with pytest.raises(
        InputError, match=r"n_heads must be whole numbers, at least 1.*for instance --n-heads 4,8"
    ) as error:
        read_axis("n_heads", text)
    assert repr(text) in str(error.value)


def test_values_stand_in_order_and_once():
    assert Axes(d_model=(96, 64, 96)) == Axes(d_model=(64, 96))
    for wrong in ({"d_model": (0,)}, {"min_head_dim": 0}, {"n_heads": (2.0,)}):
        with pytest.raises(InputError, match=r"whole number"):
            Axes(**wrong)


def test_only_empty_axes_are_filled_and_small_budgets_have_small_values():
    large, small = (Axes(n_layers=(5,)).of(Budget(text=text)) for text in ("1M", "999K"))
    assert large.n_layers == small.n_layers == (5,)
    assert (min(large.d_model), min(large.n_heads)) == (64, 2)
    assert (min(small.d_model), min(small.n_heads)) == (8, 1)
    assert large.of(Budget(text="5K")) == large


def test_the_window_is_filled_apart_from_the_budget():
    axes = Axes(patch_length=(10, 5, 5))
    filled = axes.of(Budget(text="2M"))
    assert filled.asks_for_window and not Axes().of(Budget(text="2M")).asks_for_window
    assert [getattr(filled, name) for name in WINDOW_AXES] == [(), (5, 10), ()]
    whole = filled.with_window({"context_length": 30, "patch_length": 7, "stride": 2})
    assert [getattr(whole, name) for name in WINDOW_AXES] == [(30,), (5, 10), (2,)]
