"""A double of Apple's device: tensors that lie on the host, call themselves ``mps`` and refuse what Metal refuses.

It stands between the project's code and torch, at torch's functions: whatever is made on ``mps`` or moved there is an
:class:`OnMps`, which is a CPU's tensor in all but name.  Float64 is refused, and so is an operation on tensors of both
places, as by the device itself; a copy is made where a device would make one.  What it can't show is Metal's own
arithmetic, operations that Metal lacks, and speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

NAME, GIB = "Apple M0", 2**30
NO_FLOAT64 = (
    "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64. "
    "Please use float32 instead."
)
MIXED = "Expected all tensors to be on the same device, but found at least two devices, mps:0 and cpu!"
MOVES = (Tensor.to, Tensor.cpu)
FROM_HOST, TO_HOST = "from the host", "to the host"
WAITS = (Tensor.item, Tensor.tolist, Tensor.nonzero, Tensor.__bool__, Tensor.__float__, Tensor.__int__)
"""Bring a value to the host, which a recorded step may not; so may it not bring one there."""
READ = (Tensor.numpy, Tensor.__array__)
CROSSES = (Tensor.copy_, Tensor.__getitem__, Tensor.__setitem__, Tensor.__setstate__)
"""Take a tensor of another place: as what is copied, or as an index."""


class OnMps(Tensor):
    """A tensor that says that it lies on Apple's device."""

    asked: list[str] = []  # noqa: RUF012

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func == Tensor.device.__get__:  # type: ignore[attr-defined]
            return torch.device("mps", 0)
        if func in MOVES:
            return _moved(func, *args, **kwargs)
        if func is torch._has_compatible_shallow_copy_type:
            return isinstance(args[0], OnMps) == isinstance(args[1], OnMps)
        if func in WAITS or func == Tensor.new_tensor:
            cls.asked.append(FROM_HOST if func == Tensor.new_tensor else TO_HOST)
        if func in READ:
            raise TypeError("can't convert mps:0 device type tensor to numpy. Use Tensor.cpu() first.")
        if func is Tensor.__deepcopy__:
            with torch._C.DisableTorchFunctionSubclass():
                return args[0].detach().clone().as_subclass(cls)
        if func not in CROSSES:
            _refuse_mixed([*tree_flatten(args)[0], *tree_flatten(kwargs)[0]])
        with torch._C.DisableTorchFunctionSubclass():
            return tree_map(_there, func(*args, **kwargs))


def _refuse_mixed(values: list[Any]) -> None:
    if any(isinstance(each, Tensor) and not isinstance(each, OnMps) and each.ndim for each in values):
        raise RuntimeError(MIXED)


def _there(value: Any) -> Any:
    """Call it the device's, if it is a tensor."""
    if not isinstance(value, Tensor):
        return value
    if value.dtype == torch.float64:
        raise TypeError(NO_FLOAT64)
    return value if isinstance(value, OnMps) else value.as_subclass(OnMps)


def _moved(func: Callable[..., Any], tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Copy to the other place, in the type that is asked for."""
    device, dtype = torch.device("cpu"), None
    if func is Tensor.to:
        device, dtype, *_ = torch._C._nn._parse_to(*args, **kwargs)
    is_there = isinstance(tensor, OnMps)
    to_there = is_there if device is None else device.type == "mps"
    with torch._C.DisableTorchFunctionSubclass():
        changed = tensor if dtype is None else tensor.to(dtype)
        if to_there == is_there:
            return _there(changed) if to_there else changed
        OnMps.asked.append(FROM_HOST if to_there else TO_HOST)
        copied = changed.clone()
        return _there(copied) if to_there else copied.as_subclass(Tensor)


class _Double(TorchFunctionMode):
    """Makes on the host what is to be made on Apple's device, and moves there what is moved there."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is Tensor.to:
            return _moved(func, *args, **kwargs)
        device = kwargs.get("device")
        if device is None or torch.device(device).type != "mps":
            return func(*args, **kwargs)
        kwargs["device"] = "cpu"
        if func is torch.tensor:
            OnMps.asked.append(FROM_HOST)
        return tree_map(_there, func(*args, **kwargs))


@contextmanager
def apple(patch: pytest.MonkeyPatch, memory: int = 8 * GIB) -> Iterator[list[str]]:
    """Give torch an Apple device inside; what is asked of it beside arithmetic is listed in what is given back."""
    asked = OnMps.asked = list[str]()

    def note(name: str, value: Any = None) -> Callable[..., Any]:
        def answer(*args: object, **kwargs: object) -> Any:
            asked.append(name)
            return value() if callable(value) else value

        return answer

    patch.setattr(torch.backends.mps, "is_available", lambda: True)
    patch.setattr(torch.backends.mps, "get_name", lambda: NAME, raising=False)
    patch.setattr(torch.mps, "recommended_max_memory", note("recommended_max_memory", memory))
    patch.setattr(torch.mps, "current_allocated_memory", note("current_allocated_memory", 0))
    patch.setattr(torch.mps, "get_rng_state", note("get_rng_state", torch.get_rng_state))
    for name in ("empty_cache", "synchronize", "set_rng_state"):
        patch.setattr(torch.mps, name, note(name))
    with _Double():
        yield asked
