"""Checkpoints: weights and their full spec in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model.network.patchtst import PatchTST, make_model
from model.spec.spec import Spec
from pipeline.exceptions import StoreError
from pipeline.snapshots.snapshot import write_atomically

METADATA_KEY = "spec"


def save_checkpoint(path: Path, spec: Spec, model: PatchTST) -> None:
    """Write weights, statistics and spec, atomically."""
    state = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
    metadata = {METADATA_KEY: json.dumps(spec.params())}
    write_atomically(path, lambda part: save_file(state, part, metadata=metadata))


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file."""
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}


def load_checkpoint(path: Path) -> tuple[Spec, PatchTST]:
    """Rebuild the model from the spec inside the file: an architecture is never taken from elsewhere.

    Raises
    ------
    StoreError
        If the file can't be read, holds no spec, or its weights are not those of its spec.
    RecordError
        If the spec inside is not whole.
    """
    try:
        metadata, state = read_tensors(path)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"checkpoint {path} can't be read: {error}") from error
    spec = _spec_of(path, metadata)
    model = make_model(spec)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise StoreError(
            f"checkpoint {path} must hold the weights of its spec, {spec.architecture.label}, got others"
        ) from error
    return spec, model.eval()


def checkpoint_spec(path: Path) -> Spec:
    """Read the spec that a checkpoint carries, and none of its weights.

    Raises
    ------
    StoreError
        If the file can't be read, or holds no spec.
    RecordError
        If the spec inside is not whole.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise StoreError(f"checkpoint {path} can't be read: {error}") from error
    return _spec_of(path, metadata)


def _spec_of(path: Path, metadata: Mapping[str, str]) -> Spec:
    if METADATA_KEY not in metadata:
        raise StoreError(f"checkpoint {path} must carry its spec, got none; it was not written by patchscale")
    try:
        params = json.loads(metadata[METADATA_KEY])
    except ValueError as error:
        raise StoreError(f"checkpoint {path} must carry its spec as JSON, got: {error}") from error
    if not isinstance(params, dict):
        raise StoreError(f"checkpoint {path} must carry its spec as a JSON object, got {type(params).__name__}")
    return Spec.from_params(params)
