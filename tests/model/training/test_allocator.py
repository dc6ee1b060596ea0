from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from model.training import allocator

MEASURE = """
import torch
from model.training.allocator import give_back_freed_memory, keep_freed_memory
from model.training.memory import memory_in_use
cpu, sizes = torch.device("cpu"), []
keep_freed_memory()
before = memory_in_use(cpu)
blocks = [torch.ones(2**18) for _ in range(200)]
sizes.append(memory_in_use(cpu) - before)
del blocks
sizes.append(memory_in_use(cpu) - before)
give_back_freed_memory()
sizes.append(memory_in_use(cpu) - before)
print(*sizes)
"""


@pytest.mark.slow
@pytest.mark.lesson("L33")
@pytest.mark.skipif(allocator._glibc() is None, reason="glibc only")
def test_freed_memory_is_kept_until_it_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    used, kept, left = map(int, done.stdout.split())
    assert used > 190 * 2**20 and kept > 0.95 * used and left < 0.05 * used


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    allocator._glibc.cache_clear()
    try:
        allocator.keep_freed_memory()
        allocator.give_back_freed_memory()
        assert allocator._glibc() is None
    finally:
        allocator._glibc.cache_clear()
