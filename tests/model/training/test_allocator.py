from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from model.spec.spec import Spec
from model.training import allocator, trainer
from model.windows import Windows

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


HUGE_PAGES = """
from pathlib import Path
import torch
from model.training.allocator import keep_freed_memory
from model.training.memory import memory_in_use
cpu = torch.device("cpu")
before = memory_in_use(cpu)
keep_freed_memory()
print(memory_in_use(cpu) - before)
blocks = [torch.ones(2**18) for _ in range(200)]
lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
print(next(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages:")) * 1024)
"""
OFFERED = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.slow
@pytest.mark.skipif(allocator._glibc() is None, reason="glibc only")
@pytest.mark.skipif(not OFFERED.exists() or "[never]" in OFFERED.read_text(), reason="the system has no huge pages")
def test_what_a_step_allocates_lies_in_huge_pages_that_take_no_memory_before() -> None:
    done = subprocess.run([sys.executable, "-c", HUGE_PAGES], capture_output=True, text=True, check=True)
    reserved, in_huge_pages = map(int, done.stdout.split())
    assert reserved < 10 * 2**20 and in_huge_pages > 150 * 2**20


def test_without_addresses_to_spare_huge_pages_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "IN_HUGE_PAGES", 2**62)
    allocator.keep_freed_memory()


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    allocator._glibc.cache_clear()
    try:
        allocator.keep_freed_memory()
        allocator.give_back_freed_memory()
        assert allocator._glibc() is None
    finally:
        allocator._glibc.cache_clear()


def test_weights_are_made_in_the_memory_that_is_kept(
    spec: Spec, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    make_model = trainer.make_model
    monkeypatch.setattr(trainer, "keep_freed_memory", lambda: done.append("memory"))
    monkeypatch.setattr(trainer, "make_model", lambda of: (done.append("model"), make_model(of))[1])
    trainer.build_model(spec, windows)
    assert done == ["memory", "model"]
