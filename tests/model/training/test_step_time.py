from dataclasses import replace

import pytest
import torch

from model.spec.architecture import Architecture
from model.training.execution import Execution
from model.training.step_time import measure_pace
from model.windows import make_windows


@pytest.fixture(scope="module")
def deep(spec, dataset):
    architecture = Architecture(n_features=len(dataset.features), d_model=32, n_layers=12, n_heads=4, d_ff=64)
    deep = replace(spec, architecture=architecture, budget="112K")
    return deep, make_windows(dataset, deep.target, deep.split, architecture.context_length)


def test_a_model_whose_step_is_short_is_run_whole(deep):
    spec, windows = deep
    pace = measure_pace(spec, windows, Execution(micro_batch=128), limit=10.0)
    assert pace.measured_layers == 12
    assert pace.step_seconds > 0
    assert pace.validation_seconds > 0


def test_layers_that_were_not_run_are_extrapolated(deep):
    spec, windows = deep
    whole = measure_pace(spec, windows, Execution(micro_batch=128), limit=10.0)
    one = measure_pace(spec, windows, Execution(micro_batch=128), limit=1e-6)
    assert one.measured_layers == 1
    assert 0.4 * whole.step_seconds < one.step_seconds < 3 * whole.step_seconds
    assert 0.3 * whole.validation_seconds < one.validation_seconds < 4 * whole.validation_seconds


def test_measuring_changes_neither_random_numbers_nor_threads(deep):
    spec, windows = deep
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    measure_pace(spec, windows, Execution(micro_batch=128), limit=1e-6)
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == 1
