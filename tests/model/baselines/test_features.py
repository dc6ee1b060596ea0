from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from model.baselines import Boosting, Logistic, fit_baseline
from model.baselines.features import time_ordered_folds, total_loss
from model.windows import Windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import InputError
from tests.model.baselines.conftest import Predict


@pytest.mark.parametrize("horizon", [1, 5])
def test_folds_are_ordered_and_their_labels_apart(horizon: int) -> None:
    y = np.random.default_rng(0).integers(0, 2, 300).astype(np.float64)
    folds = list(time_ordered_folds(y, np.arange(len(y)), n_folds=5, gap=horizon))
    assert len(folds) == 5
    for inner, held in folds:
        assert inner[-1] + horizon < held[0]
    assert [len(held) for _, held in folds] == [50] * 5


@pytest.mark.parametrize("y", [np.zeros(300), np.array([0.0, 1.0])])
def test_folds_without_both_outcomes_are_refused(y: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    with pytest.raises(InputError, match="inner validation needs both outcomes"):
        list(time_ordered_folds(y, np.arange(len(y)), n_folds=5, gap=1))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=400))
def test_the_total_loss_is_that_of_scikit_learn_to_the_last_bit(samples: list[tuple[bool, float]]) -> None:
    y, p = (np.array(column, dtype=np.float64) for column in zip(*samples, strict=True))
    both = np.stack([1 - p, p], axis=1)
    assert total_loss(y, both) == log_loss(y, both[:, 1], labels=[0, 1], normalize=False)


def test_settings_change_what_they_claim_to(predict: Predict, dataset: DatasetVersion, windows: Windows) -> None:
    boosting = Boosting(max_iter=20, n_folds=2)
    before = predict(boosting, dataset, windows)
    for changed in (
        {"learning_rate": 0.3},
        {"max_iter": 1},
        {"max_leaf_nodes": 2},
        {"min_samples_leaf": 200},
        {"l2_regularization": 100.0},
    ):
        assert not np.array_equal(predict(replace(boosting, **changed), dataset, windows), before), changed


def test_the_penalty_is_the_best_of_those_tried(dataset: DatasetVersion, windows: Windows) -> None:
    fitted = fit_baseline(Logistic(), dataset, windows, horizon=1)
    assert Logistic().c_least <= fitted.chosen["c"] <= Logistic().c_most
    model = fitted.classifier[-1]
    assert isinstance(model, LogisticRegression)
    assert model.C == fitted.chosen["c"]
    only = replace(Logistic(), c_least=1.0, c_most=1.0)
    assert fit_baseline(only, dataset, windows, horizon=1).chosen == {"c": 1.0}
