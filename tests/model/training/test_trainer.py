from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.evaluation import Evaluation
from model.metrics import evaluate
from model.network.patchtst import PatchTST
from model.spec.spec import Spec
from model.training import trainer
from model.training.trainer import (
    EpochResult,
    Trainer,
    build_model,
    predict_rows,
)
from model.windows import Windows, to_tensor
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import TrainingError

Change = Callable[..., Spec]


def _fit(spec: Spec, windows: Windows) -> tuple[PatchTST, list[EpochResult]]:
    model = build_model(spec, windows)
    return model, list(Trainer(spec, windows, model).epochs())


def _state(model: PatchTST) -> dict[str, Tensor]:
    return copy.deepcopy(model.state_dict())


def _same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def _timeless(results: list[EpochResult]) -> list[EpochResult]:
    return [replace(result, samples_per_second=0.0) for result in results]


def _script(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> list[dict[str, Tensor]]:
    """Give each epoch this validation loss; the list returned collects the weights after each epoch."""
    base = evaluate(np.array([0.0, 1.0]), np.array([0.4, 0.6]))
    states: list[dict[str, Tensor]] = []

    def collecting(model: PatchTST, windows: Windows, rows: Any) -> Tensor:
        states.append(_state(model))
        return torch.full((len(rows),), 0.5, dtype=torch.float64)

    def scripted(*_: object) -> Evaluation:
        return replace(base, loss=losses[len(states) - 1])

    monkeypatch.setattr(trainer, "predict_on_device", collecting)
    monkeypatch.setattr(trainer, "_evaluate", scripted)
    return states


# L6: what each field claims to control


@pytest.mark.slow
@pytest.mark.lesson("L6")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 5e-3),
        ("weight_decay", 0.5),
        ("beta1", 0.5),
        ("beta2", 0.5),
        ("epsilon", 1e-2),
        ("warmup_fraction", 0.5),
        ("dropout", 0.5),
        ("attention_dropout", 0.5),
        ("label_smoothing", 0.2),
        ("instance_norm", "revin"),
        ("batch_size", 100),
        ("clip_norm", 1e-2),
        ("max_epochs", 3),
        ("seed", 1),
        ("offset", "logistic"),
        ("offset", "boosting"),
        ("init", "normal"),
        ("width_rates", "fan_in"),
        ("schedule", "flat"),
    ],
)
def test_every_searched_field_changes_the_weights(
    spec: Spec, change: Change, windows: Windows, name: str, value: float
) -> None:
    states = []
    for each in (spec, change(spec, **{name: value})):
        model = build_model(each, windows)
        generator = Trainer(each, windows, model).epochs()
        next(generator)
        states.append(_state(model))
    moved = [
        not torch.equal(states[0][key], states[1][key]) for key in ("embedding.weight", "head.weight", "positions")
    ]
    assert all(moved)


@pytest.mark.slow
@pytest.mark.lesson("L6")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_thresholds", 7),
        ("largest_threshold", 1.5),
        ("label_smoothing", 0.2),
        ("weight_average", 0.9),
        ("offset", "distribution_linear"),
        ("horizon", 3),
        ("threshold", 0.02),
    ],
)
def test_every_field_of_a_distribution_changes_what_is_kept(
    wide: Spec,
    change: Change,
    wide_dataset: DatasetVersion,
    windows_of: Callable[..., Windows],
    name: str,
    value: float,
) -> None:
    states = []
    for each in (wide, change(wide, **{name: value})):
        own = windows_of(each, wide_dataset)
        trainer = Trainer(change(each, first_epoch=1), own, build_model(each, own))
        next(trainer.epochs())
        states.append(trainer.best_state["head.weight"])
    assert not torch.equal(*states)


@pytest.mark.lesson("L46")
@pytest.mark.parametrize("offset", ["logistic", "distribution_linear"])
def test_a_model_with_an_offset_is_evaluated_untrained_and_can_win(
    spec: Spec, wide: Spec, change: Change, windows: Windows, wide_windows: Windows, offset: str
) -> None:
    given, own = (spec, windows) if offset == "logistic" else (wide, wide_windows)
    ruined = change(given, offset=offset, learning_rate=5.0, warmup_fraction=0.0, max_epochs=3, patience=2)
    model = build_model(ruined, own)
    before = predict_rows(model, own, own.rows.validation)
    trainer = Trainer(ruined, own, model)
    results = list(trainer.epochs())
    assert [each.epoch for each in results] == [0, 1, 2] and [each.is_best for each in results] == [True, False, False]
    assert math.isnan(results[0].train_loss) and math.isnan(results[0].learning_rate)
    assert trainer.best_epoch == 0 and results[0].validation.loss == trainer.best_loss
    assert np.array_equal(predict_rows(model, own, own.rows.validation), before)
    first = list(Trainer(change(ruined, first_epoch=1), own, build_model(ruined, own)).epochs())
    assert [each.epoch for each in first] == [1, 2, 3][: len(first)] and first[0].is_best


def test_without_patience_all_epochs_are_trained_and_the_last_is_kept_whatever_the_losses(
    spec: Spec, change: Change, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = _script(monkeypatch, [0.5, 0.1, 0.9])
    given = change(spec, max_epochs=3, patience=0)
    model = build_model(given, windows)
    trainer = Trainer(given, windows, model)
    assert [each.is_best for each in trainer.epochs()] == [True, True, True]
    assert trainer.best_epoch == 3 and _same(model.state_dict(), states[-1])


def test_the_average_is_what_is_evaluated_and_kept_and_training_goes_on_from_the_weights(
    spec: Spec, change: Change, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, averaged = (change(spec, weight_average=decay, max_epochs=2) for decay in (0.0, 0.95))
    losses = [_fit(each, windows)[1] for each in (plain, averaged)]
    assert [each.train_loss for each in losses[0]] == [each.train_loss for each in losses[1]]
    assert all(a.validation.loss != b.validation.loss for a, b in zip(*losses, strict=True))
    states = _script(monkeypatch, [0.5, 0.4])
    model, _ = _fit(averaged, windows)
    assert _same(model.state_dict(), states[-1])


@pytest.mark.lesson("L6")
def test_batch_size_and_max_epochs_set_the_number_of_steps(
    spec: Spec, change: Change, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    original = Windows.batch

    def counting(self: Windows, rows: Tensor) -> tuple[Tensor, Tensor]:
        sizes.append(len(rows))
        return original(self, rows)

    monkeypatch.setattr(Windows, "batch", counting)
    _script(monkeypatch, [0.5, 0.4, 0.3])
    _, results = _fit(change(spec, batch_size=200, max_epochs=3), windows)
    n = len(windows.rows.train)
    assert [result.epoch for result in results] == [1, 2, 3]
    assert sizes == 3 * ([200] * (n // 200) + [n % 200])


@pytest.mark.lesson("L6")
def test_gradients_are_clipped_to_the_norm_of_the_spec(
    spec: Spec, change: Change, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms: list[float] = []
    original = torch.optim.AdamW.step

    def recording(self: torch.optim.AdamW, *args: object) -> object:
        grads = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(float(torch.cat([grad.flatten() for grad in grads]).norm()))
        return original(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", recording)
    _fit(change(spec, clip_norm=1e-3, max_epochs=1), windows)
    assert norms and max(norms) <= 1e-3 * 1.001


def test_dropout_of_the_spec_is_in_the_model(spec: Spec, change: Change, windows: Windows) -> None:
    model = build_model(change(spec, dropout=0.37), windows)
    assert {m.p for m in model.modules() if isinstance(m, nn.Dropout)} == {0.37}


def test_yielded_learning_rate_is_that_of_the_last_step(spec: Spec, change: Change, windows: Windows) -> None:
    one = change(spec, max_epochs=1, warmup_fraction=0.0)
    _, [result] = _fit(one, windows)
    steps = math.ceil(len(windows.rows.train) / one.training.batch_size)
    expected = one.training.learning_rate * 0.5 * (1 + math.cos(math.pi * (steps - 1) / steps))
    assert result.learning_rate == pytest.approx(expected)


# Determinism


def test_the_same_spec_gives_the_same_bits(spec: Spec, windows: Windows) -> None:
    (a, first), (b, second) = _fit(spec, windows), _fit(spec, windows)
    assert _same(a.state_dict(), b.state_dict())
    assert repr(_timeless(first)) == repr(_timeless(second))


def test_a_consumer_that_draws_random_numbers_changes_nothing(spec: Spec, windows: Windows) -> None:
    undisturbed, _ = _fit(spec, windows)
    model = build_model(spec, windows)
    torch.rand(3)
    for _ in Trainer(spec, windows, model).epochs():
        torch.manual_seed(99)
        torch.rand(7)
    assert _same(model.state_dict(), undisturbed.state_dict())


def test_each_epoch_has_its_own_order_and_holds_every_row_once(
    spec: Spec, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    original = Windows.batch

    def recording(self: Windows, rows: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(rows)
        return original(self, rows)

    monkeypatch.setattr(Windows, "batch", recording)
    _script(monkeypatch, [0.5, 0.4])
    _fit(spec, windows)
    first, second = torch.cat(seen).chunk(2)
    assert not torch.equal(first, second)
    for order in (first, second):
        assert np.array_equal(order.sort().values.numpy(), windows.rows.train)


# L21: best weights


@pytest.mark.lesson("L21")
def test_the_model_ends_with_the_best_epoch(spec: Spec, change: Change, windows: Windows) -> None:
    model, results = _fit(change(spec, batch_size=32, dropout=0.0, max_epochs=6, patience=6), windows)
    losses = [result.validation.loss for result in results]
    assert losses.index(min(losses)) < len(losses) - 1, "the case must have its best epoch before the last"
    rows = windows.rows.validation
    assert evaluate(windows.outcomes(rows), predict_rows(model, windows, rows)).loss == min(losses)
    assert [r.epoch for r in results if r.is_best][-1] == losses.index(min(losses)) + 1


@pytest.mark.lesson("L21")
@pytest.mark.parametrize("taken", [1, 2, 3, 4])
def test_closing_early_leaves_the_best_epoch_so_far(
    spec: Spec, change: Change, windows: Windows, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    states = _script(monkeypatch, [0.5, 0.4, 0.6, 0.7, 0.1])
    model = build_model(spec, windows)
    generator = Trainer(change(spec, max_epochs=5, patience=5), windows, model).epochs()
    assert isinstance(generator, Iterator)
    results = [next(generator) for _ in range(taken)]
    generator.close()  # type: ignore[attr-defined]
    assert len(states) == taken == len(results)
    assert _same(model.state_dict(), states[min(taken, 2) - 1])


@pytest.mark.lesson("L21")
def test_patience_counts_epochs_since_the_best(
    spec: Spec, change: Change, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = change(spec, max_epochs=7)
    losses = [0.5, 0.6, 0.4, 0.4, 0.5, 0.3, 0.3]
    for patience, epochs, best in ((1, 2, 1), (2, 5, 3), (3, 7, 6)):
        states = _script(monkeypatch, losses)
        model, results = _fit(change(long, patience=patience), windows)
        assert len(results) == epochs
        assert [r.epoch for r in results if r.is_best][-1] == best, "an equal loss is no better one"
        assert _same(model.state_dict(), states[best - 1])


@pytest.mark.lesson("L21")
def test_a_failure_leaves_the_best_epoch_so_far(
    spec: Spec, change: Change, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = _script(monkeypatch, [0.5])
    model = build_model(spec, windows)
    with pytest.raises(IndexError):
        list(Trainer(spec, windows, model).epochs())
    assert len(states) == 2 and _same(model.state_dict(), states[0])


# L25: nothing that is not finite goes on


@pytest.mark.lesson("L25")
def test_a_loss_that_is_not_finite_names_step_and_learning_rate(
    spec: Spec, change: Change, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = int(windows.rows.train[300])
    y_D = windows.y_D.clone()
    y_D[poisoned] = float("nan")
    steps: list[bool] = []
    original = Windows.batch

    def recording(self: Windows, rows: Tensor) -> tuple[Tensor, Tensor]:
        steps.append(poisoned in rows)
        return original(self, rows)

    monkeypatch.setattr(Windows, "batch", recording)
    with pytest.raises(TrainingError) as caught:
        _fit(change(spec, batch_size=20, warmup_fraction=0.9), replace(windows, y_D=y_D))
    step = steps.index(True) + 1
    warmup = round(0.9 * 2 * math.ceil(len(windows.rows.train) / 20))
    rate = spec.training.learning_rate * step / warmup
    assert 1 < step < 38
    assert f"loss must be finite, got nan at step {step} with learning rate {rate:.3g}; lower" in str(caught.value)


@pytest.mark.lesson("L25")
@pytest.mark.parametrize("learning_rate", [1e20, 1e38])
def test_a_diverged_model_fails_the_trial(spec: Spec, change: Change, windows: Windows, learning_rate: float) -> None:
    with pytest.raises(TrainingError, match=r"must be finite, got .* at step \d+ with learning rate \S+; lower"):
        _fit(change(spec, learning_rate=learning_rate, warmup_fraction=0.0), windows)


@pytest.mark.lesson("L25")
def test_a_prediction_that_is_not_finite_names_step_and_learning_rate(spec: Spec, windows: Windows) -> None:
    x_NTF = windows.x_NTF.clone()
    x_NTF[int(windows.rows.validation[-1]) - windows.context_length + 1, -1, 0] = float("nan")
    with pytest.raises(TrainingError, match=r"got 1 of 251 that are not at step 6 with learning rate"):
        _fit(spec, replace(windows, x_NTF=x_NTF))


# L20, L26: losses


@pytest.mark.lesson("L26")
def test_train_loss_is_the_mean_over_samples_whatever_the_batches(spec: Spec, change: Change, windows: Windows) -> None:
    n = len(windows.rows.train)
    still = change(spec, learning_rate=1e-30, weight_decay=0.0, dropout=0.0, max_epochs=1)
    for batch_size in (n, n - 3, 128):
        model = build_model(still, windows)
        nn.init.constant_(model.head.bias, -4.0)
        x_BTF, y_B = windows.batch(to_tensor(windows.rows.train, "cpu"))
        with torch.no_grad():
            plain = float(functional.binary_cross_entropy_with_logits(model.eval()(x_BTF).double(), y_B.double()))
        [result] = Trainer(change(still, batch_size=batch_size), windows, model).epochs()
        assert result.train_loss == pytest.approx(plain, rel=1e-5)


@pytest.mark.lesson("L20")
@pytest.mark.lesson("L26")
@pytest.mark.parametrize("batch", [7, 250, 512])
def test_validation_loss_is_the_mean_over_samples_of_one_sigmoid(
    spec: Spec, windows: Windows, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(trainer, "EVALUATION_BATCH", batch)
    model = build_model(spec, windows)
    nn.init.constant_(model.head.bias, -4.0)
    rows = windows.rows.validation
    x_BTF, y_B = windows.batch(to_tensor(rows, "cpu"))
    with torch.no_grad():
        logits = model.eval()(x_BTF).double()
    found = evaluate(windows.outcomes(rows), predict_rows(model, windows, rows))
    assert found.loss == pytest.approx(
        float(functional.binary_cross_entropy_with_logits(logits, y_B.double())), rel=1e-6
    )
    assert predict_rows(model, windows, rows) == pytest.approx(1 / (1 + np.exp(-logits.numpy())), rel=1e-5)
    assert found.n_days == len(rows)


def test_evaluation_is_without_dropout_and_leaves_no_gradient(spec: Spec, windows: Windows) -> None:
    model = build_model(spec, windows).train()
    rows = windows.rows.validation
    assert np.array_equal(predict_rows(model, windows, rows), predict_rows(model, windows, rows))
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.lesson("L22")
def test_training_never_reads_a_test_day(spec: Spec, windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()
    original = Windows.batch

    def recording(self: Windows, rows: Tensor) -> tuple[Tensor, Tensor]:
        seen.update(rows.tolist())
        return original(self, rows)

    monkeypatch.setattr(Windows, "batch", recording)
    _fit(spec, windows)
    assert seen == {*windows.rows.train.tolist(), *windows.rows.validation.tolist()}


def test_a_model_can_learn_what_is_in_the_features(spec: Spec, change: Change, windows: Windows) -> None:
    x_NTF = windows.x_NTF.clone()
    x_NTF[:, -1, 0] = windows.y_D[windows.context_length - 1 :].nan_to_num(0.0)
    _, results = _fit(change(spec, batch_size=32, max_epochs=6, dropout=0.0), replace(windows, x_NTF=x_NTF))
    assert max(result.validation.roc_auc for result in results) > 0.95
