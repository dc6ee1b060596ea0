"""What every baseline keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from model.baselines import BASELINES, Baseline, Boosting, fit_baseline
from model.spec.spec import Spec
from model.windows import Windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import InputError
from tests.model.baselines.conftest import Predict

WindowsOf = Callable[..., Windows]


def _scaled(dataset: DatasetVersion, rows: slice, factor: float) -> DatasetVersion:
    """The same days, with bars and features of some rows multiplied."""
    frame = dataset.frame.copy()
    frame.iloc[rows] *= factor
    return replace(dataset, frame=frame)


@pytest.fixture(scope="module", params=list(BASELINES))
def baseline(request: pytest.FixtureRequest) -> Baseline:
    baseline = BASELINES[request.param]
    return replace(baseline, max_iter=25, n_folds=2) if isinstance(baseline, Boosting) else baseline


class TestContract:
    """What every baseline keeps."""

    @pytest.mark.lesson("L24")
    def test_probabilities_of_every_forecast_row(
        self, predict: Predict, baseline: Baseline, dataset: DatasetVersion, windows: Windows
    ) -> None:
        for part in ("train", "validation", "test"):
            p = predict(baseline, dataset, windows, part)
            assert p.shape == getattr(windows.rows, part).shape
            assert p.dtype == np.float64
            assert np.isfinite(p).all() and (p > 0).all() and (p < 1).all()

    def test_the_same_bits_twice(
        self, predict: Predict, baseline: Baseline, dataset: DatasetVersion, windows: Windows
    ) -> None:
        assert np.array_equal(predict(baseline, dataset, windows), predict(baseline, dataset, windows))

    @pytest.mark.lesson("L22")
    def test_only_training_rows_are_fitted(
        self,
        predict: Predict,
        baseline: Baseline,
        dataset: DatasetVersion,
        windows: Windows,
        spec: Spec,
        windows_of: WindowsOf,
    ) -> None:
        seen = int(windows.rows.train[-1]) + spec.target.horizon + 1
        changed = _scaled(dataset, slice(seen, None), 1.5)
        assert np.array_equal(
            predict(baseline, changed, windows_of(spec, changed), "train"),
            predict(baseline, dataset, windows, "train"),
        )

    @pytest.mark.lesson("L11")
    def test_a_prediction_knows_nothing_of_later_days(
        self, baseline: Baseline, dataset: DatasetVersion, windows: Windows
    ) -> None:
        fitted = fit_baseline(baseline, dataset, windows, horizon=1)
        rows = windows.rows.validation[:100]
        changed = _scaled(dataset, slice(int(rows[-1]) + 1, None), 1.5)
        assert np.array_equal(fitted.predict_rows(changed, rows), fitted.predict_rows(dataset, rows))

    def test_extreme_inputs_stay_inside(self, baseline: Baseline, dataset: DatasetVersion, windows: Windows) -> None:
        fitted = fit_baseline(baseline, dataset, windows, horizon=1)
        frame = dataset.frame.copy()
        frame[list(dataset.features)] *= 1e6
        p = fitted.predict_rows(replace(dataset, frame=frame), windows.rows.validation)
        assert (p > 0).all() and (p < 1).all()

    @pytest.mark.lesson("L3")
    def test_every_setting_is_in_the_params(self, baseline: Baseline) -> None:
        params = baseline.params()
        assert params["baseline"] == baseline.name
        assert set(params) == {"baseline", *(f"baseline.{field.name}" for field in fields(baseline))}

    @pytest.mark.lesson("L15")
    def test_one_outcome_is_refused(self, baseline: Baseline, dataset: DatasetVersion, windows: Windows) -> None:
        never = replace(windows, y_D=windows.y_D * 0, y_host_D=windows.y_host_D * 0)
        with pytest.raises(InputError, match="must hold both outcomes"):
            fit_baseline(baseline, dataset, never, horizon=1)
