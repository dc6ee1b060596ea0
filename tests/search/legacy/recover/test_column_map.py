import pytest

from pipeline.exceptions import InputError
from search.legacy.recover.column_map import look_up, read_map


def test_a_mapped_setting_takes_our_name_and_the_others_keep_theirs():
    columns = read_map(["n_heads=model.heads", "batch_size=bs"])
    record = {"model/heads": 8, "seed": 1}
    assert columns.apply({**record, "bs": 32}, record) == {"seed": 1, "n_heads": 8, "batch_size": 32}
    assert columns.apply({}, {}) == {}


def test_results_and_roles_are_no_settings():
    columns = read_map(["value=score", "name=run", "n_heads=h"])
    assert columns.apply({"score": 0.7, "h": 8}, {"h": 8}) == {"n_heads": 8}
    assert columns.results({"h": 8}, {"score": 0.7}) == {"value": 0.7}
    assert (columns.role("name"), columns.role("study")) == ("run", None)


@pytest.mark.parametrize("text", ["n_heads", "=x", "n_heads=", "heads=x", "arch_idx=x"])
def test_a_map_that_says_nothing_is_refused(text):
    with pytest.raises(InputError, match="must be OURS=THEIRS"):
        read_map([text])


def test_levels_are_parted_by_either_mark_and_absence_is_none():
    assert look_up({"a": {"b/c": 1}}, "a.b.c") == 1
    assert look_up({"a": {"b": 1}}, "a.x") is None
    with pytest.raises(InputError, match="which x has not; nearest: model"):
        read_map(["d_model=modl"]).require_found(["model", "y"], "x")
