from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from model.spec.spec import Spec
from model.training.execution import Execution
from model.training.resume import resume_training, save_training
from model.training.trainer import EpochResult, Trainer, build_model
from model.windows import Windows
from pipeline.exceptions import RecordError, StoreError

Change = Callable[..., Spec]


@pytest.fixture(scope="module")
def long(spec: Spec, change: Change) -> Spec:
    return change(spec, max_epochs=5, patience=5, dropout=0.3, attention_dropout=0.2, warmup_fraction=0.3)


def _trainer(spec: Spec, windows: Windows) -> Trainer:
    return Trainer(spec, windows, build_model(spec, windows))


def _losses(results: list[EpochResult]) -> list[tuple[float, float, float]]:
    return [(each.train_loss, each.validation.loss, each.learning_rate) for each in results]


@pytest.mark.slow
@pytest.mark.lesson("L29")
@pytest.mark.parametrize(
    ("epoch", "changes"),
    [
        (1, {}),
        (2, {"offset": "boosting"}),
        (4, {"offset": "logistic", "weight_average": 0.9}),
        (1, {"weight_average": 0.9, "width_rates": "fan_in", "schedule": "flat", "patience": 0}),
    ],
)
def test_resumed_training_gives_the_bits_of_uninterrupted_training(
    long: Spec, change: Change, windows: Windows, tmp_path: Path, epoch: int, changes: dict[str, Any]
) -> None:
    _resumes(change(long, **changes), windows, tmp_path, epoch)


@pytest.mark.slow
@pytest.mark.lesson("L29")
@pytest.mark.parametrize("epoch", [0, 2])
def test_a_distribution_is_resumed_to_the_same_bits(
    wide: Spec, change: Change, wide_windows: Windows, tmp_path: Path, epoch: int
) -> None:
    line = change(
        wide, offset="distribution_linear", weight_average=0.95, dropout=0.3, max_epochs=4, patience=4, schedule="flat"
    )
    _resumes(line, wide_windows, tmp_path, epoch)


def _resumes(long: Spec, windows: Windows, tmp_path: Path, epoch: int) -> None:
    whole = _trainer(long, windows)
    expected = list(whole.epochs())
    path = tmp_path / "training.safetensors"
    first = _trainer(long, windows)
    for result in first.epochs():
        save_training(path, first)
        if result.epoch == epoch:
            break
    torch.manual_seed(random.randrange(2**31))
    second = _trainer(long, windows)
    resume_training(path, second)
    rest = list(second.epochs())
    after = [each for each in expected if each.epoch > epoch]
    rest = [each for each in rest if each.epoch > epoch]
    assert [each.epoch for each in rest] == list(range(epoch + 1, long.training.max_epochs + 1))
    assert _losses(rest) == _losses(after)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name]), name
    assert (second.best_loss, second.best_epoch) == (whole.best_loss, whole.best_epoch)


def test_a_finished_training_resumes_to_its_end(long: Spec, windows: Windows, tmp_path: Path, change: Change) -> None:
    path = tmp_path / "training.safetensors"
    short = change(long, max_epochs=2)
    first = _trainer(short, windows)
    for _ in first.epochs():
        save_training(path, first)
    second = _trainer(short, windows)
    resume_training(path, second)
    assert list(second.epochs()) == []
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name]), name


@pytest.fixture
def saved(long: Spec, windows: Windows, tmp_path: Path) -> Path:
    path = tmp_path / "training.safetensors"
    trainer = _trainer(long, windows)
    next(iter(trainer.epochs()))
    save_training(path, trainer)
    return path


@pytest.mark.lesson("L8")
@pytest.mark.parametrize("name, value", [("n_heads", 4), ("seed", 7), ("learning_rate", 0.5), ("max_epochs", 9)])
def test_another_spec_is_refused_with_the_field(
    saved: Path, long: Spec, windows: Windows, change: Change, name: str, value: float
) -> None:
    other = change(long, **{name: value})
    with pytest.raises(RecordError, match=rf"resumed with its own spec, got .*{name} .* there, {value} here"):
        resume_training(saved, _trainer(other, windows))


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"not a file of tensors", None])
def test_a_broken_file_is_one_clear_error(long: Spec, windows: Windows, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "training.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError, match="must be a training state that patchscale wrote"):
        resume_training(path, _trainer(long, windows))


def test_a_file_cut_short_is_refused(saved: Path, long: Spec, windows: Windows) -> None:
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(StoreError, match="must be a training state"):
        resume_training(saved, _trainer(long, windows))


def test_a_file_without_a_tensor_is_refused(saved: Path, long: Spec, windows: Windows) -> None:
    with safe_open(saved, framework="pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    del tensors["model.head.weight"]
    save_file(tensors, saved, metadata=metadata)
    with pytest.raises(StoreError, match="must hold the state of its spec's training"):
        resume_training(saved, _trainer(long, windows))


def test_the_file_names_its_spec_and_holds_no_pickle(saved: Path, long: Spec) -> None:
    with safe_open(saved, framework="pt") as file:
        assert json.loads(file.metadata()["spec"]) == long.params()


def test_a_failed_write_leaves_the_earlier_state(
    saved: Path, long: Spec, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_training(saved, _trainer(long, windows))
    assert saved.read_bytes() == before


def test_a_shrunken_micro_batch_stays_shrunken(long: Spec, windows: Windows, tmp_path: Path) -> None:
    path = tmp_path / "training.safetensors"
    small = Trainer(long, windows, build_model(long, windows), Execution(micro_batch=16))
    next(iter(small.epochs()))
    save_training(path, small)
    resumed = _trainer(long, windows)
    resume_training(path, resumed)
    assert resumed.execution.micro_batch == 16
