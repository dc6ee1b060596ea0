"""Resume: a trainer's whole state after an epoch, in one safetensors file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model.network.checkpoint import read_tensors
from model.training.trainer import Trainer
from pipeline.exceptions import RecordError, StoreError
from pipeline.snapshots.snapshot import write_atomically

MODEL, BEST, AVERAGE, OPTIMIZER, GENERATOR = "model.", "best.", "average.", "optimizer.", "generator"
SCHEDULE = ("last_epoch", "_step_count")
FORMAT = "patchscale.training/1"


def save_training(path: Path, trainer: Trainer, part: str = "", before: int = 0) -> None:
    """Write everything that training goes on with, atomically over what is there.

    Parameters
    ----------
    path : Path
        Of the file.
    trainer : Trainer
        After an epoch.
    part : str, optional
        Which of a trial's trainings it is; empty where there is one.
    before : int, optional
        Epochs of the trainings before it.

    Notes
    -----
    That is the spec, the weights now, averaged and of the best epoch, AdamW's moments, the schedule, the epoch, the
    best loss and the random generator that orders the batches and seeds each epoch's dropout.
    """
    held = trainer.optimizer.state_dict()
    moments = {f"{OPTIMIZER}{i}.{name}": value for i, state in held["state"].items() for name, value in state.items()}
    tensors = {
        **{MODEL + name: tensor for name, tensor in trainer.model.state_dict().items()},
        **{BEST + name: tensor for name, tensor in trainer.best_state.items()},
        **{AVERAGE + name: tensor for name, tensor in (trainer.average.weights if trainer.average else {}).items()},
        **moments,
        GENERATOR: trainer.generator.get_state(),
    }
    progress = {
        "epoch": trainer.epoch,
        "part": part,
        "step": before + trainer.epoch,
        "seconds": trainer.seconds,
        "best_epoch": trainer.best_epoch,
        "best_loss": trainer.best_loss,
        "schedule": {name: trainer.schedule.state_dict()[name] for name in SCHEDULE},
        "rates": [float(group["lr"]) for group in held["param_groups"]],
        "micro_batch": trainer.execution.micro_batch,
    }
    metadata = {"format": FORMAT, "spec": json.dumps(trainer.spec.params()), "progress": json.dumps(progress)}
    copies = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, lambda part: save_file(copies, part, metadata=metadata))


def resume_training(path: Path, trainer: Trainer, part: str = "") -> None:
    """Bring a fresh trainer of the same spec, in the same part of a trial, to the state of the file.

    Raises
    ------
    StoreError
        If the file can't be read or is not one of :func:`save_training`.
    RecordError
        If it is of another spec; the message names the fields.  Or of another part.
    """
    tensors, spec, progress = _read(path)
    if progress.get("part", "") != part:
        raise RecordError(f"training can only be resumed in its own part {part}, got {progress.get('part', '')} there")
    different = [f"{name} {there} there, {here} here" for name, (there, here) in trainer.spec.differences(spec).items()]
    if different:
        raise RecordError(f"training can only be resumed with its own spec, got {'; '.join(different)}")
    try:
        _restore(trainer, tensors, progress)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise StoreError(f"{path} must hold the state of its spec's training, got: {error}") from error


def saved_epoch(path: Path) -> int | None:
    """Epochs after which a state was saved, those of earlier parts among them; None of any other file."""
    found = _saved_progress(path)
    return None if found is None else int(found.get("step", found["epoch"]))


def saved_part(path: Path) -> str | None:
    """Part of a trial of which a state was saved; None of any other file."""
    found = _saved_progress(path)
    return None if found is None else str(found.get("part", ""))


def _saved_progress(path: Path) -> dict[str, Any] | None:
    try:
        with safe_open(path, framework="pt") as held:
            metadata = held.metadata() or {}
        progress = dict(json.loads(metadata["progress"])) if metadata.get("format") == FORMAT else {}
        return progress if "epoch" in progress else None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None


def _restore(trainer: Trainer, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
    trainer.model.load_state_dict(_under(MODEL, tensors))
    placed = trainer.model.state_dict()
    trainer.best_state = {name: tensor.to(placed[name].device) for name, tensor in _under(BEST, tensors).items()}
    if trainer.average is not None:
        trainer.average.load(_under(AVERAGE, tensors))
    held = trainer.optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under(OPTIMIZER, tensors).items():
        number, _, moment = name.partition(".")
        state.setdefault(int(number), {})[moment] = tensor
    groups = [
        {**group, "lr": torch.full_like(group["lr"], rate) if isinstance(group["lr"], Tensor) else rate}
        for group, rate in zip(held["param_groups"], progress["rates"], strict=True)
    ]
    trainer.optimizer.load_state_dict({"state": state, "param_groups": groups})
    trainer.schedule.load_state_dict({**trainer.schedule.state_dict(), **progress["schedule"]})
    trainer.generator.set_state(tensors[GENERATOR])
    trainer.epoch, trainer.best_epoch = int(progress["epoch"]), int(progress["best_epoch"])
    trainer.best_loss, trainer.seconds = float(progress["best_loss"]), float(progress["seconds"])
    trainer.limit_micro_batch(int(progress["micro_batch"]))


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str], dict[str, Any]]:
    try:
        metadata, tensors = read_tensors(path)
        if metadata.get("format") != FORMAT:
            raise ValueError(f"format {metadata.get('format')!r}")
        return tensors, json.loads(metadata["spec"]), json.loads(metadata["progress"])
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise StoreError(f"{path} must be a training state that patchscale wrote, got: {error}") from error
