"""The device to train on: the one that the user asked for, if it is there."""

from __future__ import annotations

import torch

from pipeline.exceptions import InputError


def choose_device(name: str) -> torch.device:
    """Return the torch device that the user asked for.

    Raises
    ------
    InputError
        If it is not cpu, cuda or auto, or no GPU is there.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device must be auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda needs a GPU that torch can use, got none; take auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
