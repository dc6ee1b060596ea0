from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from model.baselines import BASELINES, Baseline, BaseRate, Boosting, Logistic, fit_baseline
from model.baselines.features import time_ordered_folds
from model.baselines.volatility import HAR_PERIODS, VIX
from model.metrics import evaluate
from model.spec.spec import Spec
from model.windows import Windows
from pipeline.bars import COLUMNS, adjusted
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import InputError, TrainingError
from pipeline.tiers import compute_tier, tier_lookback

WindowsOf = Callable[..., Windows]


def _small(baseline: Baseline) -> Baseline:
    return replace(baseline, max_iter=25, n_folds=2) if isinstance(baseline, Boosting) else baseline


def _predict(
    baseline: Baseline, dataset: DatasetVersion, windows: Windows, part: str = "validation"
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return fit_baseline(baseline, dataset, windows, horizon=1).predict_rows(dataset, getattr(windows.rows, part))


def _scaled(dataset: DatasetVersion, rows: slice, factor: float) -> DatasetVersion:
    """The same days, with bars and features of some rows multiplied."""
    frame = dataset.frame.copy()
    frame.iloc[rows] *= factor
    return replace(dataset, frame=frame)


@pytest.fixture(scope="module", params=list(BASELINES))
def baseline(request: pytest.FixtureRequest) -> Baseline:
    return _small(BASELINES[request.param])


@pytest.fixture(scope="module")
def tiers(dataset: DatasetVersion) -> dict[str, DatasetVersion]:
    """The same bars in other tiers, with an index of implied volatility made of their ranges."""
    raw = dataset.frame[list(COLUMNS)]
    level = 1000 * (raw["high"] / raw["low"] - 1).rolling(10, min_periods=1).mean() + 5
    vix = raw.assign(open=level, high=level, low=level, close=level, adj_close=level)
    made = {}
    for tier in ("a25", "r55"):
        features = compute_tier(tier, adjusted(raw), {"^VIX": vix})
        frame = raw.join(features).iloc[tier_lookback(tier) :]
        made[tier] = replace(dataset, frame=frame, tier=tier, features=tuple(features.columns))
    return made


class TestContract:
    """What every baseline keeps."""

    @pytest.mark.lesson("L24")
    def test_probabilities_of_every_forecast_row(
        self, baseline: Baseline, dataset: DatasetVersion, windows: Windows
    ) -> None:
        for part in ("train", "validation", "test"):
            p = _predict(baseline, dataset, windows, part)
            assert p.shape == getattr(windows.rows, part).shape
            assert p.dtype == np.float64
            assert np.isfinite(p).all() and (p > 0).all() and (p < 1).all()

    def test_the_same_bits_twice(self, baseline: Baseline, dataset: DatasetVersion, windows: Windows) -> None:
        assert np.array_equal(_predict(baseline, dataset, windows), _predict(baseline, dataset, windows))

    @pytest.mark.lesson("L22")
    def test_only_training_rows_are_fitted(
        self, baseline: Baseline, dataset: DatasetVersion, windows: Windows, spec: Spec, windows_of: WindowsOf
    ) -> None:
        seen = int(windows.rows.train[-1]) + spec.target.horizon + 1
        changed = _scaled(dataset, slice(seen, None), 1.5)
        assert np.array_equal(
            _predict(baseline, changed, windows_of(spec, changed), "train"),
            _predict(baseline, dataset, windows, "train"),
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


def test_the_base_rate_is_that_of_training(dataset: DatasetVersion, windows: Windows) -> None:
    p = _predict(BaseRate(), dataset, windows)
    assert p == pytest.approx(float(windows.y_D[windows.rows.train].double().mean()))
    assert len(set(p)) == 1


def test_inputs_follow_the_tier(dataset: DatasetVersion, tiers: dict[str, DatasetVersion]) -> None:
    names = {
        (baseline, data.tier): list(BASELINES[baseline].inputs(data).columns)
        for baseline in ("volatility_logistic", "har_logistic")
        for data in (dataset, *tiers.values())
    }
    har = [f"log_har_volatility_{period}" for period in HAR_PERIODS]
    assert names["volatility_logistic", "r55"] == [f"log_{VIX}"]
    assert names["volatility_logistic", "r25"] == ["log_atr_over_close_14"]
    assert names["volatility_logistic", "a25"] == ["log_realised_volatility_21"]
    assert names["har_logistic", "r25"] == names["har_logistic", "a25"] == har
    assert names["har_logistic", "r55"] == [*har, f"log_{VIX}"]


def test_har_from_bars_is_the_tiers_own(tiers: dict[str, DatasetVersion]) -> None:
    whole = tiers["r55"]
    bare = replace(whole, frame=whole.frame[list(COLUMNS)], features=())
    har = BASELINES["har_logistic"]
    pd.testing.assert_frame_equal(
        har.inputs(bare).iloc[30:], har.inputs(whole).drop(columns=f"log_{VIX}").iloc[30:], rtol=1e-9
    )


def test_a_missing_input_of_a_forecast_is_an_error_with_its_day(dataset: DatasetVersion, windows: Windows) -> None:
    fitted = fit_baseline(BASELINES["har_logistic"], dataset, windows, horizon=1)
    with pytest.raises(TrainingError, match=rf"inputs of har_logistic must be finite.*{dataset.dates[0].date()}"):
        fitted.predict_rows(dataset, np.array([0, 100]))


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


def test_settings_change_what_they_claim_to(dataset: DatasetVersion, windows: Windows) -> None:
    boosting = Boosting(max_iter=20, n_folds=2)
    before = _predict(boosting, dataset, windows)
    for changed in (
        {"learning_rate": 0.3},
        {"max_iter": 1},
        {"max_leaf_nodes": 2},
        {"min_samples_leaf": 200},
        {"l2_regularization": 100.0},
    ):
        assert not np.array_equal(_predict(replace(boosting, **changed), dataset, windows), before), changed


def test_the_penalty_is_the_best_of_those_tried(dataset: DatasetVersion, windows: Windows) -> None:
    fitted = fit_baseline(Logistic(), dataset, windows, horizon=1)
    assert Logistic().c_least <= fitted.chosen["c"] <= Logistic().c_most
    model = fitted.classifier[-1]
    assert isinstance(model, LogisticRegression)
    assert model.C == fitted.chosen["c"]
    only = replace(Logistic(), c_least=1.0, c_most=1.0)
    assert fit_baseline(only, dataset, windows, horizon=1).chosen == {"c": 1.0}


@pytest.mark.lesson("L24")
def test_the_volatility_level_has_skill(dataset: DatasetVersion, windows: Windows) -> None:
    y = windows.y_D.numpy()[windows.rows.train].astype(np.float64)
    losses = {
        name: evaluate(y, _predict(BASELINES[name], dataset, windows, "train")).loss
        for name in ("base_rate", "volatility_logistic", "har_logistic")
    }
    assert losses["har_logistic"] < losses["base_rate"]
    assert losses["volatility_logistic"] < losses["base_rate"]
