from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from model.spec.architecture import Architecture, total_parameters
from model.spec.spec import Spec
from model.training.execution import Execution, choose_execution
from model.training.memory import available_memory, estimate_memory, measured_peak, memory_in_use
from pipeline.exceptions import InputError, TrainingError

Change = Callable[..., Spec]

CPU, GPU = torch.device("cpu"), torch.device("cuda")
GIB = 2**30
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


@pytest.fixture
def large(spec: Spec) -> Callable[..., Spec]:
    def make(d_model: int, n_layers: int, n_heads: int, d_ff: int) -> Spec:
        architecture = Architecture(n_features=25, d_model=d_model, n_layers=n_layers, n_heads=n_heads, d_ff=d_ff)
        return replace(spec, architecture=architecture, budget=str(total_parameters(architecture)))

    return make


@pytest.mark.lesson("L33")
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize("shape", [(64, 24, 8, 256), (256, 4, 8, 1024)])
def test_the_estimate_is_near_the_measured_peak(large: Callable[..., Spec], shape: tuple[int, int, int, int]) -> None:
    estimate = estimate_memory(large(*shape), micro_batch=128).total
    command = [sys.executable, "-c", MEASURE, *map(str, shape)]
    measured = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert 0.7 < estimate / measured < 1.4


@pytest.mark.lesson("L33")
def test_a_2b_model_fits_a_gpu_of_141_gb_and_not_one_of_24(large: Callable[..., Spec]) -> None:
    spec = large(2048, 40, 16, 8192)
    assert 1.9e9 < spec.n_params < 2.1e9
    execution = choose_execution(spec, GPU, rows=10_000, available=141 * 10**9)
    assert execution == Execution(
        micro_batch=128, precision="bfloat16", recompute=False, compiled=True, graphed=True
    ) or (execution.recompute and execution.micro_batch == 128)
    with pytest.raises(TrainingError, match=r"must fit in memory, got an estimate of \d+\.\d GiB for d2048-L40-h16"):
        choose_execution(spec, GPU, rows=10_000, available=24 * 10**9)


@pytest.mark.lesson("L33")
def test_less_memory_means_recomputation_then_smaller_micro_batches(large: Callable[..., Spec]) -> None:
    spec = large(256, 8, 8, 1024)
    needed = estimate_memory(spec, micro_batch=128, dtype=torch.bfloat16, rows=10).total
    roomy = choose_execution(spec, GPU, rows=10, available=2 * needed)
    tight = choose_execution(spec, GPU, rows=10, available=needed)
    assert not roomy.recompute and roomy.micro_batch == 128 and roomy.graphed
    assert tight.recompute and not tight.graphed
    assert choose_execution(spec, CPU, rows=10, available=16 * GIB) == Execution(micro_batch=128)
    needed = estimate_memory(spec, micro_batch=128, rows=10).total
    halved = choose_execution(spec, CPU, rows=10, available=needed)
    assert halved.micro_batch in (64, 32) and halved.precision == "float32"


@pytest.mark.parametrize("name", ["d_model", "n_layers", "d_ff"])
def test_the_estimate_grows_with_every_dimension(large: Callable[..., Spec], name: str) -> None:
    shape = {"d_model": 64, "n_layers": 4, "n_heads": 8, "d_ff": 256}
    small, big = large(**shape), large(**{**shape, name: 2 * shape[name]})
    assert estimate_memory(big, micro_batch=8).activations > estimate_memory(small, micro_batch=8).activations


def test_recomputation_and_bfloat16_keep_less(large: Callable[..., Spec]) -> None:
    spec = large(64, 24, 8, 256)
    plain = estimate_memory(spec, micro_batch=128).activations
    assert estimate_memory(spec, micro_batch=128, recompute=True).activations < 0.3 * plain
    assert estimate_memory(spec, micro_batch=128, dtype=torch.bfloat16).activations <= 0.51 * plain


def test_peak_sees_memory_that_is_gone_again() -> None:
    before = memory_in_use(CPU)
    with measured_peak(CPU, before) as peak:
        torch.ones(2**26)
    assert peak.value is None or 2**28 * 0.9 < peak.value < 2**28 * 1.5


def test_free_memory_is_positive() -> None:
    assert available_memory(CPU) > 0


def test_execution_refuses_what_it_does_not_know() -> None:
    with pytest.raises(InputError, match="precision must be one of float32, bfloat16, got 'half'"):
        Execution(micro_batch=1, precision="half")
    with pytest.raises(InputError, match="micro_batch must be at least 1"):
        Execution(micro_batch=0)
    assert Execution(micro_batch=5, graphed=True).halved() == Execution(micro_batch=3)
