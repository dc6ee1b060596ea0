from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from model.network.base_logit import BoostedBaseLogit
from model.spec.spec import Spec
from model.training import device as module
from model.training import host_memory
from model.training.device import ACCELERATORS, DEVICES, KINDS, Device, choose_device, is_out_of_memory, kind_of
from model.training.execution import GIB, Execution, choose_execution, least_memory
from model.training.memory import available_memory, measured_peak, memory_in_use
from model.training.objective import Objective
from model.training.optimizer import make_optimizer
from model.training.resume import resume_training, save_training
from model.training.step_time import measure_pace
from model.training.trainer import Trainer, build_model
from model.windows import Windows, make_windows, to_tensor
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import InputError, TrainingError
from tests.apple_double import FROM_HOST, NAME, TO_HOST, apple

Change = Callable[..., Spec]
MPS = torch.device("mps")
TOLERANCE = 1e-5
"""Relative, of a loss; torch's own order of sums is all that differs."""
KINDS_OF_TRAINING: dict[str, dict[str, Any]] = {
    "logistic": {"offset": "logistic", "label_smoothing": 0.1},
    "linear": {"offset": "distribution_linear", "blend": "boosting:0.5", "weight_average": 0.9},
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """An Apple device, and what it was asked."""
    with apple(monkeypatch) as asked:
        yield asked


@pytest.fixture(params=KINDS_OF_TRAINING)
def trained(
    request: pytest.FixtureRequest,
    spec: Spec,
    wide: Spec,
    change: Change,
    dataset: DatasetVersion,
    wide_dataset: DatasetVersion,
) -> tuple[Spec, DatasetVersion]:
    """A spec of each kind of model with its data."""
    changes = {"dropout": 0.2, "attention_dropout": 0.1, "max_epochs": 3, "patience": 3}
    given, data = (wide, wide_dataset) if request.param == "linear" else (spec, dataset)
    return change(given, **changes, **KINDS_OF_TRAINING[request.param]), data


def _windows(spec: Spec, data: DatasetVersion, device: str | torch.device = "cpu") -> Windows:
    a = spec.architecture
    return make_windows(data, spec.target, spec.split, a.context_length, device=device, horizons=a.ahead)


def _trainer(spec: Spec, windows: Windows) -> Trainer:
    execution = choose_execution(spec, windows.x_DF.device, rows=len(windows.x_DF))
    trainer = Trainer(spec, windows, build_model(spec, windows), execution)
    trainer.model.set_execution(plain=True)  # on a CPU too, whose own dropout draws other numbers
    return trainer


def _losses(trainer: Trainer) -> list[float]:
    return [loss for each in trainer.epochs() for loss in (each.train_loss, each.validation.loss) if each.epoch]


def test_the_device_is_the_one_asked_for_or_the_first_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    there: set[str] = set()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in there)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in there)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    for name, what in (("cuda", "a GPU"), ("mps", "an Apple GPU")):
        with pytest.raises(InputError, match=f"^device {name} needs {what} that torch can use, got none; take auto or"):
            choose_device(name)
        there.add(name)
        assert choose_device(name) == torch.device(name)
        assert choose_device("auto") == torch.device(ACCELERATORS[0] if "cuda" in there else name)
        assert choose_device("cpu") == torch.device("cpu")
    there.remove("cuda")
    assert choose_device("auto") == MPS


@pytest.mark.parametrize("name", ["tpu", "", "CUDA", "cuda:1", "mps:0"])
def test_an_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="device must be auto, cpu, cuda or mps"):
        choose_device(name)


def test_only_a_cpu_is_read_at_once_and_trained_by_hand() -> None:
    assert {name for name, kind in KINDS.items() if kind.reads_at_once} == {"cpu"}
    assert {name for name, kind in KINDS.items() if kind.by_hand} == {"cpu"}


def test_every_device_that_can_be_asked_for_is_described() -> None:
    assert {"auto", *KINDS} == set(DEVICES)
    assert all(kind_of(torch.device(name)) is kind_of(name) is KINDS[name] for name in KINDS)
    assert kind_of("meta") is KINDS["cpu"]


@pytest.mark.slow
@pytest.mark.lesson("L29")
def test_training_on_apple_is_that_of_the_cpu_and_is_resumed_to_the_same_bits(
    trained: tuple[Spec, DatasetVersion], asked: list[str], tmp_path: Path
) -> None:
    spec, data = trained
    expected = _losses(_trainer(spec, _windows(spec, data)))
    there = _windows(spec, data, choose_device("auto"))
    assert there.x_DF.device.type == "mps"
    whole = _trainer(spec, there)
    assert whole.execution == Execution(micro_batch=spec.training.batch_size)
    losses = _losses(whole)
    assert len(losses) == 6 and losses == pytest.approx(expected, rel=TOLERANCE)

    path, first = tmp_path / "training.safetensors", _trainer(spec, there)
    epochs = first.epochs()
    while first.epoch < 1:
        next(epochs)
        save_training(path, first)
    resumed = _trainer(spec, there)
    resume_training(path, resumed)
    assert _losses(resumed) == losses[2:]
    kept = whole.model.state_dict()
    assert all(torch.equal(value.cpu(), kept[name].cpu()) for name, value in resumed.model.state_dict().items())


def test_a_step_can_be_recorded_since_nothing_goes_between_host_and_device_in_it(
    trained: tuple[Spec, DatasetVersion], asked: list[str]
) -> None:
    """A CUDA graph records kernels alone: a copy from the host, or a value that it waits for, ends the recording."""
    spec, data = trained
    there = _windows(spec, data, "mps")
    stepper, rows = _trainer(spec, there)._stepper, to_tensor(there.train_rows[:128], "mps")
    asked.clear()
    loss = stepper._loss_and_gradients(rows)
    assert asked == []
    assert float(loss) > 0 and loss.new_tensor([1.0]).to("cpu").device.type == "cpu"
    assert asked == [TO_HOST, FROM_HOST, TO_HOST]


def test_clipping_asks_a_device_for_no_more_than_torchs_own(
    trained: tuple[Spec, DatasetVersion], asked: list[str]
) -> None:
    spec, data = trained
    there = _windows(spec, data, "mps")
    stepper, rows = _trainer(spec, there)._stepper, to_tensor(there.train_rows[:128], "mps")
    stepper._loss_and_gradients(rows)
    asked.clear()
    stepper._clip()
    ours = list(asked)
    asked.clear()
    nn.utils.clip_grad_norm_(stepper.model.parameters(), spec.training.clip_norm)
    assert ours == asked


@pytest.mark.slow
def test_what_is_fitted_in_float64_stays_on_the_host(
    spec: Spec, change: Change, dataset: DatasetVersion, asked: list[str]
) -> None:
    boosted = change(spec, offset="boosting", blend="logistic:0.5", max_epochs=1)
    trainer = _trainer(boosted, _windows(boosted, dataset, "mps"))
    model, losses = trainer.model, _losses(trainer)
    assert losses == pytest.approx(_losses(_trainer(boosted, _windows(boosted, dataset))), rel=TOLERANCE)
    assert isinstance(model.offset, BoostedBaseLogit)
    placed = {name: buffer.device.type for name, buffer in model.named_buffers()}
    assert {place for name, place in placed.items() if name.startswith(("offset.", "blended."))} == {"cpu"}
    assert placed["feature_mean"] == model.positions.device.type == "mps"


def test_the_double_refuses_what_the_device_refuses(asked: list[str]) -> None:
    there = torch.ones(3, device="mps")
    for make in (
        there.double,
        lambda: torch.ones(2, dtype=torch.float64, device="mps"),
        lambda: there.to(torch.float64),
    ):
        with pytest.raises(TypeError, match="doesn't support float64"):
            make()
    with pytest.raises(RuntimeError, match="same device"):
        there + torch.ones(3)
    with pytest.raises(TypeError, match="can't convert mps:0"):
        there.numpy()
    assert (there + 1).device.type == "mps" and there.cpu().device.type == "cpu" and there.cpu().double().sum() == 3


def test_apple_is_asked_for_its_memory_and_says_no_peak(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_memory, "available", lambda: 3 * GIB)
    assert available_memory(MPS) == 3 * GIB
    monkeypatch.setattr(host_memory, "available", lambda: 30 * GIB)
    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 2 * GIB)
    assert available_memory(MPS) == 6 * GIB and memory_in_use(MPS) == 2 * GIB
    with measured_peak(MPS, 0) as peak:
        pass
    assert peak.value is None
    assert kind_of(MPS).name(MPS) == NAME
    kind_of(MPS).synchronize(MPS)
    assert asked[-1] == "synchronize"


@pytest.mark.lesson("L33")
def test_apple_computes_as_a_cpu_and_halves_what_does_not_fit(large: Callable[..., Spec], asked: list[str]) -> None:
    spec = large(256, 8, 8, 1024)
    assert choose_execution(spec, MPS, rows=10, available=64 * GIB) == Execution(micro_batch=128)
    needed = Execution(micro_batch=128).memory(spec, MPS, 10).total
    assert choose_execution(spec, MPS, rows=10, available=needed).micro_batch in (64, 32)
    assert least_memory(spec, MPS, rows=10) > least_memory(spec, torch.device("cpu"), rows=10)
    with pytest.raises(TrainingError, match="take a smaller budget or a larger device"):
        choose_execution(spec, MPS, rows=10, available=2**20)


@pytest.mark.lesson("L33")
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory (MPS allocated: 17.00 GB, max allowed: 18.00 GB)"),
        RuntimeError("Invalid buffer size: 72.00 GiB"),
    ],
)
def test_memory_that_runs_out_halves_the_micro_batch_and_gives_back_what_is_kept(
    spec: Spec, dataset: DatasetVersion, asked: list[str], monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    assert is_out_of_memory(error) and not is_out_of_memory(RuntimeError("shapes differ"))
    trainer = _trainer(spec, _windows(spec, dataset, "mps"))
    objective, failed = trainer._stepper.objective, []

    def failing(rows: torch.Tensor, n: int) -> torch.Tensor:
        if n > 64:
            failed.append(n)
            raise error
        return objective(rows, n)

    monkeypatch.setattr(trainer._stepper, "objective", failing)
    trainer.train_epochs(1)
    assert trainer.execution.micro_batch == 64 and len(failed) == 1
    assert "empty_cache" in asked


@pytest.mark.slow
def test_a_pace_is_measured_on_apple_and_its_random_numbers_are_kept(
    spec: Spec, dataset: DatasetVersion, asked: list[str]
) -> None:
    before = torch.get_rng_state()
    pace = measure_pace(spec, _windows(spec, dataset, "mps"), Execution(micro_batch=128), limit=0.05)
    assert pace.step_seconds > 0 and torch.equal(before, torch.get_rng_state())
    assert {"get_rng_state", "set_rng_state"} <= set(asked)


def test_a_gpu_is_asked_for_its_memory_with_what_earlier_trials_left_in_torchs_hands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu, calls = torch.device("cuda"), list[str]()
    answers = {
        "mem_get_info": (2 * GIB, 80 * GIB),
        "memory_reserved": 70 * GIB,
        "memory_allocated": 10 * GIB,
        "max_memory_allocated": 40 * GIB,
        "get_device_name": "NVIDIA H0",
    }
    for name, value in answers.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    for name in ("synchronize", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda device, name=name: calls.append(name))
    assert available_memory(gpu) == 62 * GIB and memory_in_use(gpu) == 10 * GIB
    with measured_peak(gpu, 10 * GIB) as peak:
        pass
    assert peak.value == 30 * GIB and kind_of(gpu).name(gpu) == "NVIDIA H0"
    kind_of(gpu).synchronize(gpu)
    assert calls == ["reset_peak_memory_stats", "synchronize"]


def test_a_gpus_random_numbers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: f"state of {device}")
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: kept.append((state, device)))
    for device in (torch.device("cuda"), torch.device("cuda", 0)):
        with kind_of(device).random_kept(device):
            torch.rand(1)
    assert kept == [("state of 1", 1), ("state of 0", 0)]


def test_the_optimizer_of_a_gpu_reads_its_rate_from_the_device_and_no_others(
    spec: Spec, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build_model(spec, windows)
    assert isinstance(make_optimizer(model, spec.training).defaults["lr"], float)
    monkeypatch.setitem(module.KINDS, "cpu", KINDS["cuda"])
    rate = make_optimizer(model, spec.training).defaults["lr"]
    assert isinstance(rate, torch.Tensor) and float(rate) == pytest.approx(spec.training.learning_rate)


def test_where_shapes_are_compiled_a_short_part_is_filled_up_and_what_was_filled_in_has_no_loss(
    spec: Spec, change: Change, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = change(spec, dropout=0.0)
    rows = torch.from_numpy(windows.train_rows[:100])
    filling = Device()
    filling.one_shape = KINDS["cuda"].one_shape
    losses, shapes = [], list[int]()
    for kind in (KINDS["cpu"], filling):
        monkeypatch.setitem(module.KINDS, "cpu", kind)
        trainer = Trainer(plain, windows, build_model(plain, windows), Execution(micro_batch=64))
        objective = trainer._stepper.objective

        def seen(rows: torch.Tensor, n: int, objective: Objective = objective) -> torch.Tensor:
            shapes.append(len(rows))
            return objective(rows, n)

        monkeypatch.setattr(trainer._stepper, "objective", seen)
        losses.append(float(trainer._stepper._loss_and_gradients(rows)))
    assert shapes == [64, 36, 64, 64] and losses[1] == pytest.approx(losses[0], rel=TOLERANCE)
