from __future__ import annotations

import pytest
import torch
from torch import nn

from model.network.dropout import DRAWS, Dropout, keep_mask


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("rate", [1 / 3, 0.1, 0.37, 0.5, 0.9, 1e-3])
def test_the_rate_is_the_one_asked_for_and_the_mean_is_kept(rate: float) -> None:
    mask = keep_mask(torch.empty(4_000_000), rate)
    dropped = round(rate * DRAWS) / DRAWS
    assert abs(dropped - rate) <= 1e-5
    found = float((mask == 0).double().mean())
    assert abs(found - dropped) < 5 * (dropped * (1 - dropped) / mask.numel()) ** 0.5
    assert mask.unique().tolist() == [0.0, pytest.approx(1 / (1 - dropped), rel=1e-6)]


def test_the_extremes_of_a_draw_are_both_reached() -> None:
    one_in_all = keep_mask(torch.empty(40 * DRAWS), 1 / DRAWS)
    assert 10 < int((one_in_all == 0).sum()) < 90
    all_but_one = keep_mask(torch.empty(40 * DRAWS), 1 - 1 / DRAWS)
    assert 10 < int((all_but_one > 0).sum()) < 90 and float(all_but_one.max()) == DRAWS


def test_the_four_elements_of_a_word_and_neighbouring_words_are_independent() -> None:
    kept = (keep_mask(torch.empty(400_000, 8), 0.3) > 0).double()
    assert (kept.mean(0) - 0.7).abs().max() < 5 * (0.21 / len(kept)) ** 0.5
    assert (torch.corrcoef(kept.T) - torch.eye(8)).abs().max() < 5 / len(kept) ** 0.5


@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 7, 3), (0, 4)])
def test_any_shape_is_served(shape: tuple[int, ...]) -> None:
    assert keep_mask(torch.empty(shape), 0.5).shape == shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_seed_decides_and_types_agree(dtype: torch.dtype) -> None:
    torch.manual_seed(5)
    first = keep_mask(torch.empty(1000), 0.2)
    torch.manual_seed(5)
    again = keep_mask(torch.empty(1000, dtype=dtype), 0.2)
    assert again.dtype == dtype and torch.allclose(first, again.float())
    assert not torch.equal(first, keep_mask(torch.empty(1000), 0.2))


@pytest.mark.lesson("L6")
def test_values_and_gradients_are_those_of_the_mask() -> None:
    x = torch.randn(50, 30, requires_grad=True)
    torch.manual_seed(1)
    y = Dropout(0.4)(x)
    y.backward(torch.full_like(y, 3.0))
    torch.manual_seed(1)
    mask = keep_mask(x, 0.4)
    assert torch.equal(y, x * mask) and x.grad is not None and torch.equal(x.grad, 3 * mask)


@pytest.mark.lesson("L6")
def test_nothing_is_dropped_or_drawn_outside_training_or_at_rate_zero() -> None:
    x, state = torch.randn(9), torch.get_rng_state()
    assert torch.equal(Dropout(0.5).eval()(x), x) and torch.equal(Dropout(0.0)(x), x)
    assert torch.equal(torch.get_rng_state(), state)


def test_plain_and_other_types_are_torchs_own() -> None:
    ours, theirs = Dropout(0.5), nn.Dropout(0.5)
    for plain, dtype in ((True, torch.float32), (False, torch.bfloat16)):
        ours.plain = plain
        outputs = []
        for module in (ours, theirs):
            torch.manual_seed(2)
            outputs.append(module(torch.ones(100, dtype=dtype)))
        assert torch.equal(*outputs)
