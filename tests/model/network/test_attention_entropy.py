from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.network.attention_entropy import attention_entropy
from model.network.block import Block
from model.spec.architecture import total_parameters
from model.spec.spec import Spec
from model.training.trainer import build_model
from model.windows import Windows

Change = Callable[..., Spec]


def _sharpen(block: Block, by: float) -> None:
    with torch.no_grad():
        block.query_key_value.weight.mul_(by)


@pytest.mark.lesson("L27")
def test_a_fresh_model_attends_nearly_uniformly_and_a_sharpened_one_does_not(
    spec: Spec, change: Change, windows: Windows
) -> None:
    deep = change(spec, tolerance=0.9, n_layers=2, init="normal")
    model = build_model(deep, windows)
    fresh = attention_entropy(model, windows, windows.rows.validation)
    assert fresh.shape == (2, 2) and (fresh > 0.99).all() and (fresh <= 1 + 1e-6).all()
    assert isinstance(model.blocks[1], Block)
    _sharpen(model.blocks[1], 100.0)
    sharp = attention_entropy(model, windows, windows.rows.validation)
    assert np.allclose(sharp[0], fresh[0]) and (sharp[1] < 0.8).all() and (sharp[1] >= 0).all()


@pytest.mark.lesson("L48")
def test_weights_that_start_by_their_inputs_attend_to_something(spec: Spec, change: Change, windows: Windows) -> None:
    deep = change(spec, tolerance=0.95, n_layers=2, d_model=32, d_ff=64, budget="20K")
    spread = {
        init: attention_entropy(build_model(change(deep, init=init), windows), windows, windows.rows.validation).mean()
        for init in ("normal", "fan_in")
    }
    assert spread["normal"] > 0.999 and spread["fan_in"] < 0.97


@pytest.mark.lesson("L27")
def test_zero_queries_are_exactly_uniform(spec: Spec, windows: Windows) -> None:
    model = build_model(spec, windows)
    assert isinstance(model.blocks[0], Block)
    _sharpen(model.blocks[0], 0.0)
    assert np.allclose(attention_entropy(model, windows, windows.rows.validation), 1.0, atol=1e-6)


def test_one_patch_has_no_entropy(spec: Spec, windows_of: Callable[..., Windows]) -> None:
    architecture = replace(spec.architecture, patch_length=60)
    single = replace(spec, architecture=architecture, budget=str(total_parameters(architecture)))
    windows = windows_of(single)
    assert np.isnan(attention_entropy(build_model(single, windows), windows, windows.rows.validation)).all()


def test_measuring_changes_nothing(spec: Spec, windows: Windows) -> None:
    model = build_model(spec, windows)
    x_BTF, _ = windows.batch(torch.arange(100, 110))
    model.eval()
    before = model(x_BTF)
    attention_entropy(model, windows, windows.rows.validation)
    assert torch.equal(model(x_BTF), before)
