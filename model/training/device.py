"""The device to train on: the one that the user asked for, if it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.exceptions import InputError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")


def known_device(option: str, name: str) -> str:
    """Refuse a device that there can't be, without asking what is there.

    Examples
    --------
    >>> known_device("device", "cpu")
    'cpu'
    """
    if name not in DEVICES:
        raise InputError(f"{option} must be auto, cpu or cuda, got {name!r}")
    return name


def choose_device(name: str) -> torch.device:
    """Return the torch device that the user asked for.

    Raises
    ------
    InputError
        If it is not cpu, cuda or auto, or no GPU is there.
    """
    known_device("device", name)
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda needs a GPU that torch can use, got none; take auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
