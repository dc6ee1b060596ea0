from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from model.network.small_attention import MOST_TOKENS
from model.spec.spec import Spec
from model.training.memory import available_memory, estimate_memory, measured_peak, memory_in_use

CPU, GPU = torch.device("cpu"), torch.device("cuda")
MEASURE = """
import sys, torch
from torch.nn import functional
from model.spec.architecture import Architecture
from model.training.memory import measured_peak, memory_in_use
from model.network.patchtst import PatchTST
torch.set_num_threads(1)
def steps(architecture):
    model = PatchTST(architecture, dropout=0.1)
    best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    x, y = torch.randn(128, 60, 25), torch.zeros(128)
    for _ in range(2):
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(model(x), y).backward()
        optimizer.step()
steps(Architecture(n_features=25, d_model=8, n_layers=1, n_heads=1, d_ff=8))
d_model, n_layers, n_heads, d_ff = map(int, sys.argv[1:])
cpu = torch.device("cpu")
before = memory_in_use(cpu)
with measured_peak(cpu, before) as peak:
    steps(Architecture(n_features=25, d_model=d_model, n_layers=n_layers, n_heads=n_heads, d_ff=d_ff))
print(peak.value)
"""


@pytest.mark.slow
@pytest.mark.lesson("L33")
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize("shape", [(64, 24, 8, 256), (256, 4, 8, 1024)])
def test_the_estimate_is_near_the_measured_peak(large: Callable[..., Spec], shape: tuple[int, int, int, int]) -> None:
    estimate = estimate_memory(large(*shape), micro_batch=128).total
    command = [sys.executable, "-c", MEASURE, *map(str, shape)]
    measured = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert 0.7 < estimate / measured < 1.4


@pytest.mark.parametrize("name", ["d_model", "n_layers", "d_ff"])
def test_the_estimate_grows_with_every_dimension(large: Callable[..., Spec], name: str) -> None:
    shape = {"d_model": 64, "n_layers": 4, "n_heads": 8, "d_ff": 256}
    small, big = large(**shape), large(**{**shape, name: 2 * shape[name]})
    assert estimate_memory(big, micro_batch=8).activations > estimate_memory(small, micro_batch=8).activations


def test_recomputation_and_bfloat16_keep_less(large: Callable[..., Spec]) -> None:
    spec = large(64, 24, 8, 256)
    plain = estimate_memory(spec, micro_batch=128, device=GPU).activations
    assert estimate_memory(spec, micro_batch=128, device=GPU, recompute=True).activations < 0.3 * plain
    assert estimate_memory(spec, micro_batch=128, device=GPU, dtype=torch.bfloat16).activations <= 0.51 * plain


@pytest.mark.parametrize("tokens, less", [(9, True), (MOST_TOKENS + 1, False)])
def test_a_cpu_keeps_no_activations_of_blocks_that_it_trains_by_hand(
    change: Callable[..., Spec], spec: Spec, tokens: int, less: bool
) -> None:
    few = change(spec, context_length=5 * tokens + 5, patch_length=10, stride=5)
    assert few.architecture.n_tokens == tokens
    here, there = (estimate_memory(few, micro_batch=1, device=device) for device in (CPU, GPU))
    assert (here.activations < there.activations) is less


def test_peak_sees_memory_that_is_gone_again() -> None:
    before = memory_in_use(CPU)
    with measured_peak(CPU, before) as peak:
        torch.ones(2**26)
    assert peak.value is None or 2**28 * 0.9 < peak.value < 2**28 * 1.5


def test_free_memory_is_positive() -> None:
    assert available_memory(CPU) > 0
