from __future__ import annotations

import numpy as np
import pytest

from model.baselines import BASELINES, BaseRate, fit_baseline
from model.spec.spec import Spec
from model.windows import Windows, make_windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import TrainingError
from tests.model.baselines.conftest import Predict


def test_the_base_rate_is_that_of_training(predict: Predict, dataset: DatasetVersion, windows: Windows) -> None:
    p = predict(BaseRate(), dataset, windows)
    assert p == pytest.approx(float(windows.y_D[windows.rows.train].double().mean()))
    assert len(set(p)) == 1


def test_a_missing_input_of_a_forecast_is_an_error_with_its_day(dataset: DatasetVersion, windows: Windows) -> None:
    fitted = fit_baseline(BASELINES["har_logistic"], dataset, windows, horizon=1)
    with pytest.raises(TrainingError, match=rf"inputs of har_logistic must be finite.*{dataset.dates[0].date()}"):
        fitted.predict_rows(dataset, np.array([0, 100]))


def test_other_tickers_are_fitted_too_and_add_no_forecast(
    dataset: DatasetVersion, other: DatasetVersion, spec: Spec, windows: Windows
) -> None:
    context = spec.architecture.context_length
    pooled = make_windows(dataset, spec.target, spec.split, context, pooled=(other,))
    alone = fit_baseline(BaseRate(), dataset, windows, horizon=1)
    both = fit_baseline(BaseRate(), dataset, pooled, horizon=1, pooled=(other,))
    assert both.n_train == len(pooled.train_rows) > alone.n_train == len(windows.train_rows)
    p = both.predict_rows(dataset, windows.rows.validation)
    assert p == pytest.approx(float(pooled.outcomes(pooled.train_rows).mean()))
    assert p.shape == windows.rows.validation.shape
