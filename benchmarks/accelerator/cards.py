"""What a card can do: its makers' figure where it is known, and a matrix product's where it is measured."""

from __future__ import annotations

import re
import time
from typing import NamedTuple

import torch

from model.training.device import kind_of

PEAKS: tuple[tuple[str, float, str], ...] = (
    (r"\bB200\b", 2250e12, "NVIDIA DGX B200 datasheet"),
    (r"\bH200\b", 989e12, "NVIDIA H200 datasheet"),
    (r"\bH100 PCIe\b", 756e12, "NVIDIA H100 datasheet, PCIe"),
    (r"\bH100 NVL\b", 835e12, "NVIDIA H100 NVL datasheet"),
    (r"\bH100\b", 989e12, "NVIDIA H100 datasheet, SXM"),
    (r"\bGH200\b", 989e12, "NVIDIA GH200 datasheet"),
    (r"\bA100\b", 312e12, "NVIDIA A100 datasheet"),
    (r"\bL40S\b", 362e12, "NVIDIA L40S datasheet"),
    (r"\bL4\b", 121e12, "NVIDIA L4 datasheet"),
    (r"\bRTX 4090$", 165e12, "NVIDIA Ada GPU architecture whitepaper, table 2, FP32 accumulate"),
)
"""By words of the name that torch gives: dense bfloat16 FLOP/s without sparsity, which is half the figure with it."""
PRODUCTS = 10


class Peak(NamedTuple):
    """FLOP/s of matrix products in bfloat16, and where the figure comes from."""

    flops: float
    source: str


def known_peak(name: str) -> Peak | None:
    """Peak of a card that the table knows."""
    found = next(((flops, source) for words, flops, source in PEAKS if re.search(words, name)), None)
    return None if found is None else Peak(*found)


def measured_peak(device: torch.device, size: int) -> Peak:
    """Peak of one product of square matrices in the precision of the device, the best of a few runs."""
    kind = kind_of(device)
    dtype = torch.bfloat16 if kind.precision == "bfloat16" else torch.float32
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    times = []
    for _ in range(PRODUCTS):
        kind.synchronize(device)
        started = time.perf_counter()
        a @ b
        kind.synchronize(device)
        times.append(time.perf_counter() - started)
    return Peak(2 * size**3 / min(times), f"measured: {size} × {size} products in {str(dtype).removeprefix('torch.')}")
