import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from search.space.assignment import assign
from search.space.extremes import HEADS_FIRST, NOT_EXTREME

tied = st.sampled_from([0.0, 1.0, 2.0])
rounded = st.sampled_from([0.1, 0.2, 0.1 + 0.2, 0.3, -0.1])
distant = st.sampled_from([0.0, 1.5, HEADS_FIRST + 0.1, NOT_EXTREME])


@st.composite
def matrices(draw):
    """Costs of any shape: free, with many equal ones, with sums that round, with columns out of reach."""
    value = draw(st.sampled_from([st.floats(-10, 10), tied, rounded, distant]))
    width = draw(st.integers(1, 12))
    return draw(st.lists(st.lists(value, min_size=width, max_size=width), min_size=1, max_size=8))


@settings(deadline=None, max_examples=500)
@given(matrices())
def test_of_equal_assignments_it_is_the_one_that_scipy_takes(costs):
    rows, columns = linear_sum_assignment(np.array(costs))
    assert assign(costs) == list(zip(rows.tolist(), columns.tolist(), strict=True))


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (2, 4), (4, 2)])
def test_equal_costs_give_the_identity(rows, columns):
    assert assign([[1.0] * columns] * rows) == [(i, i) for i in range(min(rows, columns))]
