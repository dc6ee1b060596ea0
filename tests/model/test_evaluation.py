from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation import CALIBRATION_BINS, undefined_reasons
from model.metrics import evaluate

days = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.floats(1e-6, 1 - 1e-6)), min_size=2, max_size=40)


@given(pairs=days)
def test_what_is_undefined_is_nan_with_a_reason_and_nothing_else_is(pairs: list[tuple[float, float]]) -> None:
    found = evaluate(*np.array(pairs).T)
    undefined = {name for name, value in asdict(found).items() if math.isnan(value)}
    assert set(undefined_reasons(found)) == undefined
    assert ("precision_50" in undefined) == (found.n_calls_50 == 0)
    assert ("recall_30" in undefined) == (found.base_rate == 0)
    assert ("roc_auc" in undefined) == (found.base_rate in (0, 1))
    assert ("ece" in undefined) == (found.n_days < CALIBRATION_BINS)


def test_the_field_of_an_evaluation_is_a_number() -> None:
    assert {type(value) for value in asdict(evaluate(np.array([0.0, 1.0]), np.array([0.2, 0.7]))).values()} == {
        int,
        float,
    }
