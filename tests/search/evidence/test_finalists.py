import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.exceptions import InputError
from search.evidence.finalists import choose_finalists
from search.evidence.superior import model_confidence_set


def losses(seed, n_good, n_poor, n_days=400):
    rng = np.random.default_rng(seed)
    good_MD = rng.normal(size=n_days) + 0.1 * rng.normal(size=(n_good, n_days))
    return np.vstack([good_MD[0] + 0.5 + 0.1 * rng.normal(size=(n_poor, n_days)), good_MD])


@pytest.mark.lesson("L23")
@given(st.integers(0, 50), st.integers(1, 8), st.integers(1, 8))
@settings(max_examples=10)
def test_finalists_are_of_the_confidence_set_the_lowest_losses_first(seed, n_good, most):
    losses_MD = losses(seed, n_good, 3)
    rows = choose_finalists(losses_MD, most, block=5, n_resamples=100)
    kept = model_confidence_set(losses_MD, block=5, size=0.1, n_resamples=100)
    assert set(rows) <= set(kept) and len(rows) == min(most, len(kept))
    means = losses_MD.mean(axis=1)
    assert list(means[rows]) == sorted(means[kept])[: len(rows)]
    assert rows[0] == means.argmin()


@pytest.mark.lesson("L47")
def test_a_trial_that_the_days_tell_from_the_best_is_no_finalist_however_few_there_are():
    assert sorted(choose_finalists(losses(1, 2, 6), 5, block=5)) == [6, 7]


def test_no_finalist_is_no_question():
    with pytest.raises(InputError, match="finalists must be at least 1, got 0"):
        choose_finalists(np.ones((2, 300)), 0, block=5)
