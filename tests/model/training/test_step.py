from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from model.network.block import Block
from model.network.patchtst import PatchTST
from model.spec.architecture import total_parameters
from model.spec.spec import Spec
from model.training.execution import Execution
from model.training.step import is_out_of_memory
from model.training.trainer import Trainer, build_model
from model.windows import Windows, to_tensor
from pipeline.exceptions import TrainingError

Change = Callable[..., Spec]


@pytest.fixture
def plain(spec: Spec, change: Change) -> Spec:
    return change(spec, dropout=0.0, label_smoothing=0.1)


def _gradients(spec: Spec, windows: Windows, execution: Execution, rows: Tensor) -> tuple[float, Tensor]:
    trainer = Trainer(spec, windows, build_model(spec, windows), execution)
    trainer.model.train()
    loss = float(trainer._stepper._loss_and_gradients(rows))
    gradients = [parameter.grad for parameter in trainer.model.parameters()]
    return loss, torch.cat([each.flatten() for each in gradients if each is not None])


@pytest.mark.lesson("L26")
@pytest.mark.parametrize("micro_batch", [1, 7, 50, 64, 99])
def test_accumulated_gradients_are_those_of_the_full_batch(plain: Spec, windows: Windows, micro_batch: int) -> None:
    rows = to_tensor(windows.rows.train, "cpu")[:100]
    loss, full = _gradients(plain, windows, Execution(micro_batch=128), rows)
    accumulated_loss, accumulated = _gradients(plain, windows, Execution(micro_batch=micro_batch), rows)
    assert accumulated_loss == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(accumulated, full, rtol=1e-4, atol=1e-7)


def test_recomputed_blocks_give_the_same_bits(spec: Spec, change: Change, windows: Windows) -> None:
    deep = change(spec, tolerance=0.9, n_layers=3, dropout=0.3, attention_dropout=0.2, max_epochs=1)
    states = []
    for recompute in (False, True):
        model = build_model(deep, windows)
        list(Trainer(deep, windows, model, Execution(micro_batch=128, recompute=recompute)).epochs())
        states.append(model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("read_at_once", [True, False])
@pytest.mark.parametrize("size", [0.0, 1e-9, 0.5, 1.0, 1 + 1e-6, 3.0, 1e30, math.inf, math.nan])
def test_gradients_are_clipped_to_torchs_own_bits(
    plain: Spec, windows: Windows, monkeypatch: pytest.MonkeyPatch, size: float, read_at_once: bool
) -> None:
    trainer = Trainer(plain, windows, build_model(plain, windows), Execution(micro_batch=128))
    monkeypatch.setattr(trainer._stepper._kind, "reads_at_once", read_at_once)
    parameters = [parameter for parameter in trainer.model.parameters() if parameter.requires_grad]
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(parameter.shape, generator=generator) for parameter in parameters]
    norm = torch.cat([each.flatten() for each in drawn]).norm()
    finite = size if math.isfinite(size) else 0.5

    def clipped(clip: Callable[[], object]) -> list[Tensor]:
        for parameter, gradient in zip(parameters, drawn, strict=True):
            parameter.grad = gradient * (finite * plain.training.clip_norm / norm)
        if finite != size:
            parameters[0].grad.view(-1)[0] = size  # type: ignore[union-attr]
        clip()
        return [parameter.grad for parameter in parameters if parameter.grad is not None]

    found = clipped(trainer._stepper._clip)
    expected = clipped(lambda: nn.utils.clip_grad_norm_(parameters, plain.training.clip_norm))
    assert len(found) == len(parameters) > 0
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=0, equal_nan=True)


def test_gradients_within_the_norm_are_not_written_on_a_cpu(plain: Spec, windows: Windows) -> None:
    trainer = Trainer(plain, windows, build_model(plain, windows), Execution(micro_batch=128))
    parameter = next(trainer.model.parameters())
    parameter.grad = torch.full_like(parameter, 1e-6)
    version = parameter.grad._version
    trainer._stepper._clip()
    assert parameter.grad._version == version


def test_bfloat16_keeps_weights_in_float32_and_comes_close(plain: Spec, windows: Windows) -> None:
    rows = to_tensor(windows.rows.train, "cpu")[:100]
    loss, full = _gradients(plain, windows, Execution(micro_batch=128), rows)
    rough_loss, rough = _gradients(plain, windows, Execution(micro_batch=128, precision="bfloat16"), rows)
    assert rough.dtype == torch.float32
    assert rough_loss == pytest.approx(loss, rel=0.02) and rough_loss != loss
    assert float(torch.nn.functional.cosine_similarity(rough, full, dim=0)) > 0.99


def _fail_above(monkeypatch: pytest.MonkeyPatch, most: int, error: Exception) -> list[int]:
    """Let the model run out of memory, in training, with more than so many windows; the sizes that went in."""
    sizes: list[int] = []
    forward = PatchTST.forward

    def limited(self: PatchTST, x_BTF: Tensor, *rest: Any) -> Tensor:
        if self.training:
            sizes.append(len(x_BTF))
            if len(x_BTF) > most:
                raise error
        return forward(self, x_BTF, *rest)

    monkeypatch.setattr(PatchTST, "forward", limited)
    return sizes


@pytest.mark.lesson("L33")
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: not enough memory: you tried"),
    ],
)
def test_out_of_memory_halves_the_micro_batch_and_keeps_the_result(
    plain: Spec, windows: Windows, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    whole = Trainer(plain, windows, build_model(plain, windows))
    expected = next(iter(whole.epochs()))
    sizes = _fail_above(monkeypatch, 40, error)
    trainer = Trainer(plain, windows, build_model(plain, windows))
    found = next(iter(trainer.epochs()))
    assert trainer.execution.micro_batch == 32 and sizes[:3] == [128, 64, 32]
    assert found.train_loss == pytest.approx(expected.train_loss, rel=1e-4)
    assert found.validation.loss == pytest.approx(expected.validation.loss, rel=1e-3)


@pytest.mark.lesson("L33")
def test_out_of_memory_with_one_window_ends_the_trial(
    plain: Spec, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_above(monkeypatch, 0, torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(TrainingError, match="out of memory with one window at a time"):
        list(Trainer(plain, windows, build_model(plain, windows)).epochs())


def test_another_error_is_not_taken_for_a_lack_of_memory(
    plain: Spec, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = _fail_above(monkeypatch, 0, RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        list(Trainer(plain, windows, build_model(plain, windows)).epochs())
    assert len(sizes) == 1


def test_a_real_refusal_of_the_cpu_allocator_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_models_of_many_trials_in_one_process_are_all_compiled(
    plain: Spec, change: Change, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By torch's own rule a function is compiled for so many shapes in a process, and never again."""
    from torch._dynamo import config
    from torch._dynamo.utils import counters

    compile_block = Block.compile
    monkeypatch.setattr(Block, "compile", lambda self, **settings: compile_block(self, backend="eager", **settings))
    with config.patch(recompile_limit=2):
        for width in (8, 16, 24, 32):
            architecture = replace(plain.architecture, d_model=width, n_layers=2)
            wider = replace(plain, architecture=architecture, budget=str(total_parameters(architecture)))
            trainer = Trainer(wider, windows, build_model(wider, windows), Execution(micro_batch=128, compiled=True))
            counters.clear()
            trainer._stepper.run((to_tensor(windows.train_rows[:128], "cpu"),))
            assert counters["frames"] == {"total": 1, "ok": 1}
            again = Trainer(wider, windows, build_model(wider, windows), trainer.execution)
            again._stepper.run((to_tensor(windows.train_rows[:128], "cpu"),))
            assert counters["frames"] == {"total": 1, "ok": 1}, "a model of the same dimensions is compiled anew"
    torch.compiler.reset()
