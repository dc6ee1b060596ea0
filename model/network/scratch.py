"""Scratch memory: what is needed for a moment lies where the last of its kind lay, in the cache of the processor."""

from __future__ import annotations

from torch import Tensor


class Scratch:
    """Tensors by name and shape, written over by whoever takes them next.

    Freed memory would do the same if an allocator gave out again what was freed last; glibc gives out what fits best,
    which in a step through hundreds of megabytes was touched long ago.

    Examples
    --------
    >>> import torch
    >>> scratch = Scratch()
    >>> scratch("scores", torch.zeros(1), 2, 3) is scratch("scores", torch.zeros(1), 2, 3)
    True
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def __call__(self, name: str, like: Tensor, *shape: int) -> Tensor:
        """Tensor of a shape, of the type and on the device of another; what it holds is of no use.

        Parameters
        ----------
        name : str
            Of what it is for: two tensors that are needed at the same time have two names.
        like : Tensor
            The same at every call.
        *shape : int
            Its shape.
        """
        held = self._held.get((name, shape))
        if held is None:
            held = self._held[name, shape] = like.new_empty(shape)
        return held
