"""The devices that training knows: the CPU, NVIDIA's cuda and Apple's mps; what each may do, and what it can be asked.

Everything that depends on the kind of a device is asked of its description here, so that a description can be put in
another's place.  What lies in float64 is in :mod:`model.network.float64`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from model.training import host_memory
from pipeline.exceptions import InputError

if TYPE_CHECKING:
    import torch

AUTO, CPU, CUDA, MPS = "auto", "cpu", "cuda", "mps"
DEVICES = (AUTO, CPU, CUDA, MPS)
UNKNOWN = "unknown"


class Device:
    """What training may do on a kind of device, and what one can be asked; this one is the CPU.

    Attributes
    ----------
    precision : str
        Of activations, ``float32`` or ``bfloat16``.
    compiles, graphs, recomputes : bool
        Whether blocks are compiled, steps recorded, and blocks run again where memory is short: where that is faster.
    one_shape : bool
        Whether a short micro-batch is filled up, since another shape would be compiled and recorded anew.
    rate_is_tensor : bool
        Whether the learning rate lies on the device, where a recorded step reads it.
    one_trial : bool
        Whether one trial at a time keeps it busy.
    by_hand : bool
        Whether blocks of few tokens are trained by :mod:`model.network.block_function`.
    reads_at_once : bool
        Whether a number of its memory can be read without waiting for the device.
    out_of_memory : tuple of str
        Words of torch's errors that say so, beside its own type.
    """

    kind = CPU
    needs = ""
    precision = "float32"
    compiles = graphs = recomputes = one_shape = rate_is_tensor = one_trial = False
    by_hand = reads_at_once = True
    out_of_memory: tuple[str, ...] = ("DefaultCPUAllocator",)

    def is_there(self) -> bool:
        """Whether torch can use one."""
        return True

    def name(self, device: torch.device) -> str:
        """Name of the chip; ``unknown`` where nothing says it."""
        return host_memory.processor()

    def synchronize(self, device: torch.device) -> None:
        """Wait until it has done what it was told."""

    def empty_cache(self) -> None:
        """Give back the memory that torch keeps for later."""

    def free(self, device: torch.device) -> int:
        """Bytes that a trial can have."""
        return host_memory.available()

    def in_use(self, device: torch.device) -> int | None:
        """Bytes in use now; None where that is unknown."""
        return host_memory.in_use()

    def start_peak(self, device: torch.device) -> None:
        """Count the most bytes in use from now on."""
        host_memory.start_peak()

    def peak(self, device: torch.device) -> int | None:
        """Most bytes in use since :meth:`start_peak`; None where that is unknown."""
        return host_memory.peak()

    @contextmanager
    def random_kept(self, device: torch.device) -> Iterator[None]:
        """Put torch's random numbers, of the host and of the device, back to where they were."""
        import torch

        with torch.random.fork_rng(devices=[]):
            yield


class Cuda(Device):
    """NVIDIA's; of an AMD card torch says the same."""

    kind = CUDA
    needs = "a GPU"
    precision = "bfloat16"
    compiles = graphs = recomputes = one_shape = rate_is_tensor = one_trial = True
    by_hand = reads_at_once = False
    out_of_memory = ("CUDA out of memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")

    def is_there(self) -> bool:  # noqa: D102
        import torch

        return torch.cuda.is_available()

    def name(self, device: torch.device) -> str:  # noqa: D102
        import torch

        return torch.cuda.get_device_name(device)

    def synchronize(self, device: torch.device) -> None:  # noqa: D102
        import torch

        torch.cuda.synchronize(device)

    def empty_cache(self) -> None:  # noqa: D102
        import torch

        torch.cuda.empty_cache()

    def free(self, device: torch.device) -> int:
        """Bytes that a trial can have: the card's free ones, and those that earlier trials left in torch's hands."""
        import torch

        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + max(0, int(kept))

    def in_use(self, device: torch.device) -> int | None:  # noqa: D102
        import torch

        return int(torch.cuda.memory_allocated(device))

    def start_peak(self, device: torch.device) -> None:  # noqa: D102
        import torch

        torch.cuda.reset_peak_memory_stats(device)

    def peak(self, device: torch.device) -> int | None:  # noqa: D102
        import torch

        return int(torch.cuda.max_memory_allocated(device))

    @contextmanager
    def random_kept(self, device: torch.device) -> Iterator[None]:  # noqa: D102
        import torch

        index = torch.cuda.current_device() if device.index is None else device.index
        with torch.random.fork_rng(devices=[index], device_type=CUDA):
            yield


class Mps(Device):
    """Apple's: without float64, computed as on a CPU in float32, of whose memory the chip's is a part."""

    kind = MPS
    needs = "an Apple GPU"
    one_trial = True
    by_hand = reads_at_once = False
    out_of_memory = ("MPS backend out of memory", "Invalid buffer size")

    def is_there(self) -> bool:  # noqa: D102
        import torch

        return torch.backends.mps.is_available()

    def name(self, device: torch.device) -> str:  # noqa: D102
        import torch

        get_name = getattr(torch.backends.mps, "get_name", None)
        return str(get_name()) if get_name is not None else UNKNOWN

    def synchronize(self, device: torch.device) -> None:  # noqa: D102
        import torch

        torch.mps.synchronize()

    def empty_cache(self) -> None:  # noqa: D102
        import torch

        torch.mps.empty_cache()

    def free(self, device: torch.device) -> int:
        """Bytes that a trial can have: what Metal recommends at most, less what is taken, and no more than is free."""
        import torch

        recommended = torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
        return max(0, min(int(recommended), host_memory.available()))

    def in_use(self, device: torch.device) -> int | None:  # noqa: D102
        import torch

        return int(torch.mps.current_allocated_memory())

    def start_peak(self, device: torch.device) -> None:
        """Nothing: torch counts no peak here."""

    def peak(self, device: torch.device) -> int | None:
        """None: torch counts no peak here."""
        return None

    @contextmanager
    def random_kept(self, device: torch.device) -> Iterator[None]:  # noqa: D102
        import torch

        with torch.random.fork_rng(devices=[MPS], device_type=MPS):
            yield


KINDS: dict[str, Device] = {each.kind: each for each in (Device(), Cuda(), Mps())}
ACCELERATORS = (CUDA, MPS)
"""In the order in which ``auto`` looks for them."""


def known_device(option: str, name: str) -> str:
    """Refuse a device that there can't be, without asking what is there.

    Examples
    --------
    >>> known_device("device", "cpu")
    'cpu'
    """
    if name not in DEVICES:
        raise InputError(f"{option} must be {', '.join(DEVICES[:-1])} or {DEVICES[-1]}, got {name!r}")
    return name


def choose_device(name: str) -> torch.device:
    """Return the torch device that the user asked for; ``auto`` is the first accelerator that is there, or the CPU.

    Raises
    ------
    InputError
        If it is none of :data:`DEVICES`, or there is none.
    """
    known_device("device", name)
    import torch

    if name == AUTO:
        name = next((kind for kind in ACCELERATORS if KINDS[kind].is_there()), CPU)
    elif not KINDS[name].is_there():
        raise InputError(f"device {name} needs {KINDS[name].needs} that torch can use, got none; take auto or cpu")
    return torch.device(name)


def kind_of(device: torch.device | str) -> Device:
    """Give the description of a device's kind; the CPU's of one that training does not know."""
    return KINDS.get(getattr(device, "type", str(device)), KINDS[CPU])


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch says that memory ran out, on whichever device."""
    import torch

    words = [phrase for each in KINDS.values() for phrase in each.out_of_memory]
    return isinstance(error, torch.OutOfMemoryError) or any(phrase in str(error) for phrase in words)
