from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from model.network.patchtst import PatchTST
from model.spec.architecture import Architecture
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


def _moved_by_steps(width: int, width_rates: str) -> tuple[float, float]:
    """How far three steps move what the blocks add to their tokens, as a share of what they added before; and the logit
    that the head, which starts at zero, gives."""
    torch.manual_seed(0)
    model = PatchTST(Architecture(n_features=10, d_model=width, n_layers=2, n_heads=4, d_ff=2 * width))
    generator = torch.Generator().manual_seed(1)
    x_BTF = torch.randn(64, 60, 10, generator=generator)
    y_B = (torch.rand(64, generator=generator) < 0.3).float()
    optimizer = make_optimizer(model, Training(learning_rate=3e-3, width_rates=width_rates, weight_decay=0.0))

    @torch.no_grad()
    def added() -> torch.Tensor:
        tokens_BPD = before_BPD = model.embed(x_BTF)
        for block in model.blocks:
            tokens_BPD = block(tokens_BPD)
        return tokens_BPD - before_BPD

    before = added()
    for _ in range(3):
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(model(x_BTF), y_B).backward()
        optimizer.step()
    logits = model(x_BTF).detach() - model.head.bias.detach()
    return float((added() - before).std() / before.std()), float(logits.square().mean().sqrt())


@pytest.mark.slow
@pytest.mark.lesson("L48")
def test_with_rates_by_width_every_width_moves_alike_and_without_them_wide_ones_run_away() -> None:
    """The coordinate check of muP (Yang et al., 2022, appendix D.1)."""
    (alike, logits_alike), (apart, logits_apart) = (
        zip(*(_moved_by_steps(width, rates) for width in (64, 128, 256)), strict=True) for rates in ("fan_in", "none")
    )
    assert max(alike) / min(alike) < 1.5
    assert list(apart) == sorted(apart) and apart[-1] / apart[0] > 2
    assert alike[0] == pytest.approx(apart[0], rel=0.3)
    assert logits_alike[0] == pytest.approx(logits_apart[0], rel=0.1)
    assert logits_apart[-1] / logits_apart[0] > 3 > 2 > logits_alike[-1] / logits_alike[0]


@pytest.mark.lesson("L6")
def test_matrices_inside_the_blocks_and_the_head_learn_by_their_inputs(spec: Spec, windows: Windows) -> None:
    model = build_model(spec, windows)
    training = Training(learning_rate=0.1, width_rates="fan_in")
    names = {id(p): name for name, p in model.named_parameters()}
    for group in make_optimizer(model, training).param_groups:
        for parameter in group["params"]:
            name, is_matrix = names[id(parameter)], parameter.ndim == 2
            inputs = model.architecture.d_model if name == "head.weight" else parameter.shape[-1]
            by_inputs = is_matrix and (name.startswith("blocks.") or name == "head.weight")
            assert group["lr"] == pytest.approx(0.1 * (64 / inputs if by_inputs else 1.0)), name


@pytest.mark.lesson("L6")
def test_a_flat_schedule_stays_at_the_peak_after_its_warm_up() -> None:
    training = Training(learning_rate=0.5, warmup_fraction=0.2, schedule="flat")
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=training.learning_rate)
    schedule = make_schedule(optimizer, training, 10)
    rates = []
    for _ in range(10):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates == [0.25, *[0.5] * 9]
