import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.results.attention import UNIFORM, attention_of, is_uniform, trial_remark

ENTROPIES = st.lists(st.none() | st.floats(0.0, 1.000001), max_size=12)


@pytest.mark.lesson("L48")
def test_uniform_attention_is_said_with_how_many_and_what_follows():
    found = attention_of([0.98, *[0.9999] * 7])
    assert found.decided_nothing
    assert found.words == (
        "attention is uniform in 8 of 8 trials (entropy 0.98 to 0.9999 of uniform's): their head counts decided nothing"
    )
    assert attention_of([0.99]).words.endswith(
        "in 1 of 1 trial (entropy 0.99 of uniform's): its head count decided nothing"
    )


@pytest.mark.lesson("L48")
@pytest.mark.lesson("L3")
@given(ENTROPIES)
def test_what_is_not_recorded_is_neither_uniform_nor_awake(recorded):
    found = attention_of(recorded)
    known = [each for each in recorded if each is not None]
    assert len(found.uniform) == sum(each >= UNIFORM for each in known)
    assert found.decided_nothing == (bool(known) and all(map(is_uniform, known)))
    assert bool(found.words) == bool(recorded)
    if recorded and not known:
        assert found.words.startswith("attention unknown")
    if known and len(known) < len(recorded):
        assert f"unknown in {len(recorded) - len(known)}" in found.words


def test_attention_that_works_is_said_too():
    assert attention_of([0.80, 0.93]).words == (
        "attention is not uniform in any of 2 trials (entropy 0.8 to 0.93 of uniform's)"
    )


def test_a_figure_is_never_rounded_over_the_limit_or_to_a_whole():
    assert "0.9799" in attention_of([0.97999]).words and "0.9999" in attention_of([0.999999]).words
    assert "entropy 1 of" in attention_of([1.0000004]).words


@pytest.mark.parametrize(("entropy", "begins"), [(0.9999, "attention is uniform"), (0.9, "attention is not uniform")])
def test_one_trial_says_the_same(entropy, begins):
    assert trial_remark(entropy).startswith(begins)
    assert trial_remark(None) == trial_remark(float("nan")) == ""
