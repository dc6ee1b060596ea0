from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from model.spec.spec import Spec, Training
from model.training.optimizer import make_optimizer, make_schedule
from model.training.trainer import build_model
from model.windows import Windows


@pytest.mark.lesson("L6")
def test_optimizer_holds_what_the_spec_says(spec: Spec, windows: Windows) -> None:
    training = Training(learning_rate=0.123, weight_decay=0.45, beta1=0.6, beta2=0.7, epsilon=0.008)
    for group in make_optimizer(build_model(spec, windows), training).param_groups:
        assert (group["lr"], group["betas"], group["eps"]) == (0.123, (0.6, 0.7), 0.008)


@pytest.mark.lesson("L6")
def test_weight_matrices_are_decayed_and_nothing_else(spec: Spec, windows: Windows) -> None:
    model = build_model(spec, windows)
    decayed, free = make_optimizer(model, Training(weight_decay=0.45)).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.45, 0.0)
    names = {id(p): name for name, p in model.named_parameters()}
    matrices = {f"{name}.weight" for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    assert {names[id(p)] for p in decayed["params"]} == matrices
    assert {names[id(p)] for p in free["params"]} == set(names.values()) - matrices
    assert "positions" in {names[id(p)] for p in free["params"]}


@pytest.mark.lesson("L6")
def test_decay_shrinks_only_what_it_should(spec: Spec, windows: Windows) -> None:
    model = build_model(spec, windows)
    before = copy.deepcopy(model.state_dict())
    optimizer = make_optimizer(model, Training(learning_rate=0.1, weight_decay=0.5))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim == 2 and name != "positions"
        assert torch.allclose(parameter, before[name] * (0.95 if is_matrix else 1.0)), name


@pytest.mark.lesson("L6")
@given(total=st.integers(1, 200), fraction=st.floats(0, 0.99))
def test_schedule_rises_over_the_warm_up_then_falls_to_near_zero(total: int, fraction: float) -> None:
    training = Training(learning_rate=0.5, warmup_fraction=fraction)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=training.learning_rate)
    schedule = make_schedule(optimizer, training, total)
    rates = []
    for _ in range(total):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    warmup = round(fraction * total)
    assert rates[:warmup] == pytest.approx([0.5 * (i + 1) / warmup for i in range(warmup)])
    assert all(0 < rate <= 0.5 for rate in rates)
    cosine = rates[warmup:]
    assert cosine == sorted(cosine, reverse=True)
    assert not cosine or cosine[0] == 0.5
    assert schedule.get_last_lr()[0] == pytest.approx(0.0 if cosine else 0.5)
