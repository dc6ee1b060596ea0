from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.spec.spec import Spec
from model.training.execution import GIB, SHARE_OF_MEMORY, Execution, choose_execution, least_memory
from model.training.memory import estimate_memory
from pipeline.exceptions import InputError, TrainingError

CPU, GPU = torch.device("cpu"), torch.device("cuda")


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
    needed = estimate_memory(spec, micro_batch=128, dtype=torch.bfloat16, rows=10, device=GPU).total
    roomy = choose_execution(spec, GPU, rows=10, available=2 * needed)
    tight = choose_execution(spec, GPU, rows=10, available=needed)
    assert not roomy.recompute and roomy.micro_batch == 128 and roomy.graphed
    assert tight.recompute and not tight.graphed
    assert choose_execution(spec, CPU, rows=10, available=16 * GIB) == Execution(micro_batch=128)
    needed = estimate_memory(spec, micro_batch=128, rows=10).total
    halved = choose_execution(spec, CPU, rows=10, available=needed)
    assert halved.micro_batch in (64, 32) and halved.precision == "float32"


@pytest.mark.lesson("L33")
@given(room=st.floats(0.5, 100), device=st.sampled_from([CPU, GPU]))
def test_what_is_chosen_fits_and_only_what_can_not_fit_is_refused(
    large: Callable[..., Spec], room: float, device: torch.device
) -> None:
    spec = large(64, 24, 8, 256)
    least = least_memory(spec, device, rows=10)
    free = int(room * least / SHARE_OF_MEMORY)
    if least > SHARE_OF_MEMORY * free:
        with pytest.raises(TrainingError, match="take a smaller budget or a larger device"):
            choose_execution(spec, device, rows=10, available=free)
        return
    execution = choose_execution(spec, device, rows=10, available=free)
    needed = estimate_memory(
        spec,
        micro_batch=execution.micro_batch,
        dtype=execution.dtype,
        recompute=execution.recompute,
        rows=10,
        device=device,
    )
    assert needed.total <= SHARE_OF_MEMORY * free
    assert not execution.graphed or not execution.recompute


def test_execution_refuses_what_it_does_not_know() -> None:
    with pytest.raises(InputError, match="precision must be one of float32, bfloat16, got 'half'"):
        Execution(micro_batch=1, precision="half")
    with pytest.raises(InputError, match="micro_batch must be at least 1"):
        Execution(micro_batch=0)
    assert Execution(micro_batch=5, graphed=True).halved() == Execution(micro_batch=3)


def test_one_window_at_a_time_is_not_halved() -> None:
    with pytest.raises(TrainingError, match="out of memory with one window at a time"):
        Execution(micro_batch=1).halved()
