"""Disk: what a trial's files take, known before there are any."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch

from model.network.patchtst import make_model
from model.spec.choices import NONE
from model.spec.spec import Spec

Shapes = Mapping[str, tuple[int, ...]]
FLOAT32, HEADER_LENGTH, ALIGNMENT = 4, 8, 8
PROGRESS = 400
"""Characters in which a training state says how far it is, about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialDisk:
    """Bytes that the files of one trial take.

    Parameters
    ----------
    checkpoint : int
        Its weights, statistics and spec.
    state : int
        What training goes on with after an epoch.
    running : int
        Most that it takes at one time until it has ended: a state is written beside the one before, and a checkpoint
        before it is brought to the store.
    """

    checkpoint: int
    state: int
    running: int


def trial_disk(spec: Spec) -> TrialDisk:
    """Count the bytes of a spec's files, from the shapes of its tensors and the form of the files.

    Parameters
    ----------
    spec : Spec
        Of the trial.
    """
    training = spec.training
    with torch.device("meta"):
        model = make_model(spec)
    held = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    weights = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    moments = {
        f"optimizer.{i}.{moment}": shape if moment != "step" else ()
        for i, shape in enumerate(weights.values())
        for moment in ("step", "exp_avg", "exp_avg_sq")
    }
    copies = [held, held, *([weights] if training.weight_average else [])]
    named = {f"copy{i}.{name}": shape for i, each in enumerate(copies) for name, shape in each.items()}
    checkpoint = file_bytes(held, spec)
    state = file_bytes({**named, **moments}, spec) + torch.Generator().get_state().numel() + PROGRESS
    n_states = training.max_epochs + (training.first_epoch == 0 and training.offset != NONE)
    return TrialDisk(checkpoint=checkpoint, state=state, running=max(min(n_states, 2) * state, state + 2 * checkpoint))


def file_bytes(shapes: Shapes, spec: Spec) -> int:
    """Size of a safetensors file of float32 that carries a spec.

    References
    ----------
    https://github.com/huggingface/safetensors#format
    """
    header: dict[str, object] = {"__metadata__": {"spec": json.dumps(spec.params())}}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + FLOAT32 * prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = len(json.dumps(header, separators=(",", ":")))
    return HEADER_LENGTH + -(-text // ALIGNMENT) * ALIGNMENT + end
