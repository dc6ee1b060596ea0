from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.baselines import BASELINES, Boosting, Logistic, fit_baseline
from model.network.base_logit import (
    BoostedBaseLogit,
    LogisticBaseLogit,
    cross_fitting_folds,
    fit_base_logit,
    make_base_logit,
    training_base_logits,
)
from model.network.checkpoint import load_checkpoint, save_checkpoint
from model.network.patchtst import predict_proba
from model.spec.spec import Spec
from model.training.trainer import Trainer, build_model, predict_rows
from model.windows import Windows, make_windows, to_tensor
from pipeline.datasets.dataset import DatasetVersion

KINDS = ("logistic", "boosting")
Change = Callable[..., Spec]


@pytest.fixture(params=KINDS)
def with_base_logit(request: pytest.FixtureRequest, spec: Spec, change: Change) -> Spec:
    return change(spec, offset=request.param)


def _validation(windows: Windows) -> torch.Tensor:
    return to_tensor(windows.rows.validation, "cpu")


@pytest.mark.slow
@pytest.mark.lesson("L24")
def test_the_untrained_model_is_its_baseline(with_base_logit: Spec, windows: Windows) -> None:
    model = build_model(with_base_logit, windows)
    x_NF = windows.x_DF.numpy().astype(np.float64)
    settings = {"logistic": Logistic(), "boosting": Boosting()}[with_base_logit.training.offset]
    train = windows.train_rows
    classifier, _ = settings.fit(x_NF[train], windows.outcomes(train), windows.day_numbers(train), 1)
    expected = classifier.predict_proba(x_NF[windows.rows.validation])[:, 1]
    assert predict_rows(model, windows, windows.rows.validation) == pytest.approx(expected, abs=1e-6)
    assert np.std(expected) > 0.01


@pytest.mark.slow
def test_the_untrained_model_predicts_as_the_baseline_s_run_does(
    with_base_logit: Spec, windows: Windows, dataset: DatasetVersion
) -> None:
    fitted = fit_baseline(BASELINES[with_base_logit.training.offset], dataset, windows, horizon=1)
    model = build_model(with_base_logit, windows)
    mine = predict_rows(model, windows, windows.rows.validation)
    theirs = fitted.predict_rows(dataset, windows.rows.validation)
    assert np.corrcoef(mine, theirs)[0, 1] > 0.99, "inputs differ by rounding to float32 only"


@pytest.mark.slow
def test_training_leaves_the_base_logit_as_it_was(with_base_logit: Spec, change: Change, windows: Windows) -> None:
    trained = change(with_base_logit, max_epochs=1, first_epoch=1)
    model = build_model(trained, windows)
    assert model.offset is not None
    before = {name: buffer.clone() for name, buffer in model.offset.named_buffers()}
    assert not list(model.offset.parameters())
    list(Trainer(trained, windows, model).epochs())
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.offset.named_buffers())
    assert model.head.weight.abs().max() > 0


@pytest.mark.slow
@pytest.mark.lesson("L8")
def test_a_checkpoint_holds_the_base_logit(with_base_logit: Spec, windows: Windows, tmp_path: Path) -> None:
    model = build_model(with_base_logit, windows)
    list(Trainer(with_base_logit, windows, model).epochs())
    save_checkpoint(tmp_path / "best.safetensors", with_base_logit, model)
    _, loaded = load_checkpoint(tmp_path / "best.safetensors")
    rows = windows.rows.validation
    assert np.array_equal(predict_rows(loaded, windows, rows), predict_rows(model, windows, rows))


@pytest.mark.slow
@pytest.mark.lesson("L22")
def test_nothing_behind_the_training_rows_moves_the_base_logit(with_base_logit: Spec, windows: Windows) -> None:
    last = int(windows.train_rows[-1])
    x_DF, y_host_D = windows.x_DF.clone(), windows.y_host_D.copy()
    x_DF[last + 1 :], y_host_D[last + 1 :] = 9.0, 1 - y_host_D[last + 1 :]
    shifted = replace(windows, x_DF=x_DF, y_host_D=y_host_D)
    fitted = []
    for each in (windows, shifted):
        base_logit = make_base_logit(with_base_logit.training.offset, windows.x_DF.shape[1])
        assert base_logit is not None
        fit_base_logit(base_logit, each, horizon=1)
        fitted.append(base_logit)
        trained_on = training_base_logits(base_logit, each, horizon=1)
        assert bool(torch.isfinite(trained_on[: last + 1][windows.train_rows]).all())
        assert bool(torch.isnan(trained_on[last + 1 :]).all())
    for a, b in zip(fitted[0].buffers(), fitted[1].buffers(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.slow
def test_boosting_in_training_does_not_know_the_outcome_of_its_row(
    spec: Spec, change: Change, windows: Windows
) -> None:
    boosted = make_base_logit("boosting", windows.x_DF.shape[1])
    assert isinstance(boosted, BoostedBaseLogit)
    noise = np.random.default_rng(0).integers(0, 2, len(windows.y_host_D)).astype(np.float32)
    noisy = replace(windows, y_host_D=noise, y_D=torch.from_numpy(noise))
    fit_base_logit(boosted, noisy, horizon=1)
    boosted.take(Boosting().grow(*_samples(noisy), 100))
    rows = to_tensor(noisy.train_rows, "cpu")

    def correlation(logits: torch.Tensor) -> float:
        return float(np.corrcoef(logits.numpy(), noise[noisy.train_rows])[0, 1])

    assert correlation(boosted(noisy.x_DF[rows])) > 0.5
    assert abs(correlation(training_base_logits(boosted, noisy, horizon=1)[rows])) < 0.15


def _samples(windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    return windows.x_DF.numpy()[windows.train_rows].astype(np.float64), windows.outcomes(windows.train_rows)


def test_trees_in_torch_are_those_of_scikit_learn(windows: Windows) -> None:
    x_NF, y_N = _samples(windows)
    classifier = Boosting().grow(x_NF, y_N, 57)
    base_logit = BoostedBaseLogit(Boosting())
    base_logit.take(Boosting().grow(x_NF, 1 - y_N, 80))
    base_logit.take(classifier)
    assert base_logit.n_trees == 57
    expected = classifier.decision_function(windows.x_DF.numpy().astype(np.float64))
    assert base_logit(windows.x_DF).numpy() == pytest.approx(expected, abs=1e-6)


def test_logistic_base_logit_is_that_of_scikit_learn(windows: Windows) -> None:
    base_logit = LogisticBaseLogit(windows.x_DF.shape[1])
    x_NF, y_N = _samples(windows)
    classifier, _ = Logistic().fit(x_NF, y_N, np.arange(len(y_N)), 1)
    base_logit.take(classifier)
    expected = classifier.predict_proba(windows.x_DF.numpy().astype(np.float64)[_validation(windows).numpy()])[:, 1]
    assert predict_proba(base_logit(windows.x_DF[_validation(windows)])).numpy() == pytest.approx(expected, abs=1e-6)


@settings(max_examples=40)
@given(n_days=st.integers(20, 200), tickers=st.integers(1, 3), gap=st.integers(1, 6))
def test_folds_hold_every_sample_once_and_keep_labels_apart(n_days: int, tickers: int, gap: int) -> None:
    day_N = np.tile(np.arange(n_days), tickers)
    held = np.concatenate([fold[0] for fold in cross_fitting_folds(day_N, gap=gap)])
    assert np.array_equal(np.sort(held), np.arange(len(day_N)))
    for inside, others in cross_fitting_folds(day_N, gap=gap):
        assert np.abs(day_N[inside][:, None] - day_N[others][None, :]).min() > gap


def test_pooled_base_logit_is_fitted_to_all_tickers(
    spec: Spec, change: Change, windows: Windows, dataset: DatasetVersion, other: DatasetVersion
) -> None:
    logistic = change(spec, offset="logistic")
    pooled = make_windows(dataset, spec.target, spec.split, spec.architecture.context_length, pooled=[other])
    alone, both = (build_model(logistic, each).offset for each in (windows, pooled))
    assert isinstance(alone, LogisticBaseLogit) and isinstance(both, LogisticBaseLogit)
    assert not torch.equal(alone.weight_F, both.weight_F)


def test_without_a_base_logit_there_is_none(spec: Spec, windows: Windows) -> None:
    model = build_model(spec, windows)
    assert model.offset is None and model.head.weight.abs().max() > 0
    assert not [name for name in model.state_dict() if name.startswith("offset")]
