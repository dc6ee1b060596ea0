from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.network import block as module
from model.network.block import Block
from model.network.dropout import keep_mask
from model.network.patchtst import PatchTST
from model.network.small_attention import MOST_TOKENS
from model.spec.architecture import Architecture
from model.spec.spec import Spec
from model.training.trainer import Trainer, build_model
from model.windows import Windows

Change = Callable[..., Spec]

ARCHITECTURE = Architecture(
    n_features=3, context_length=50, patch_length=10, stride=5, d_model=16, n_layers=3, n_heads=4, d_ff=32
)


def _block(dropout: float, attention_dropout: float, dtype: torch.dtype = torch.float64) -> Block:
    torch.manual_seed(0)
    block = Block(ARCHITECTURE, dropout, attention_dropout).to(dtype)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.3)
    return block


def _tokens(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(6, 9, 16, generator=torch.Generator().manual_seed(1), dtype=dtype, requires_grad=True)


def _written(block: Block, tokens_BPD: Tensor) -> Tensor:
    """Block in plain code, its masks drawn in the block's order."""

    def drop(x: Tensor, rate: float) -> Tensor:
        return x * keep_mask(x, rate) if rate else x

    B, P, D = tokens_BPD.shape
    query, key, value = (
        block.query_key_value(block.attention_norm(tokens_BPD)).view(B, P, 3, 4, -1).permute(2, 0, 3, 1, 4)
    )
    weights_NPP = (query @ key.mT / key.shape[-1] ** 0.5).softmax(-1).reshape(-1, P, P)
    weights_BHPP = drop(weights_NPP, block.attention_dropout).view(B, 4, P, P)
    mixed_BPD = (weights_BHPP @ value).transpose(1, 2).reshape(B, P, D)
    tokens_BPD = tokens_BPD + drop(block.attention_output(mixed_BPD), block.dropout.p)
    hidden = functional.gelu(block.expand(block.feed_forward_norm(tokens_BPD)))
    return tokens_BPD + drop(block.contract(hidden), block.dropout.p)


def _values_and_gradients(run: Callable[[Tensor], Tensor], block: Block, tokens_BPD: Tensor) -> list[Tensor]:
    torch.manual_seed(7)
    out = run(tokens_BPD)
    leaves = [tokens_BPD, *block.parameters()]
    return [out.detach(), *torch.autograd.grad(out, leaves, torch.cos(out.detach()))]


@pytest.mark.lesson("L6")
@pytest.mark.parametrize("dropout, attention_dropout", [(0.0, 0.0), (0.2, 0.0), (0.0, 0.2), (0.3, 0.1)])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-11), (torch.float32, 2e-5)])
def test_training_agrees_with_plain_code_of_the_same_masks(
    dropout: float, attention_dropout: float, dtype: torch.dtype, tolerance: float
) -> None:
    block, tokens_BPD = _block(dropout, attention_dropout, dtype), _tokens(dtype)
    expected = _values_and_gradients(lambda tokens: _written(block, tokens), block, tokens_BPD)
    found = _values_and_gradients(block, block, tokens_BPD)
    for wanted, got in zip(expected, found, strict=True):
        torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance * float(wanted.abs().max()))


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-11), (torch.float32, 2e-5)])
def test_plain_and_fast_agree_without_dropout(dtype: torch.dtype, tolerance: float) -> None:
    block, tokens_BPD = _block(0.0, 0.0, dtype), _tokens(dtype)
    found = _values_and_gradients(block, block, tokens_BPD)
    block.plain = True
    for wanted, got in zip(_values_and_gradients(block, block, tokens_BPD), found, strict=True):
        torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance * float(wanted.abs().max()))


def _calls(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """Shapes that go through the block that is written down."""
    shapes: list[torch.Size] = []
    train_blocks = module.train_blocks

    def counted(tokens_BPD: Tensor, *rest: Any) -> Tensor:
        shapes.append(tokens_BPD.shape)
        return train_blocks(tokens_BPD, *rest)

    monkeypatch.setattr(module, "train_blocks", counted)
    return shapes


def test_the_fast_way_is_taken_in_training_on_few_tokens_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, block, tokens = _calls(monkeypatch), _block(0.1, 0.1, torch.float32), _tokens(torch.float32)
    block(tokens)
    assert len(calls) == 1
    block.eval()(tokens)
    block.train()(torch.randn(2, MOST_TOKENS + 1, 16))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        block(tokens)
    block.plain = True
    block(tokens)
    assert len(calls) == 1


@pytest.mark.slow
@pytest.mark.parametrize("execution, is_plain", [({}, False), ({"plain": True}, True), ({"compiled": True}, True)])
def test_execution_says_which_way(execution: dict[str, bool], is_plain: bool) -> None:
    model = PatchTST(ARCHITECTURE, 0.1)
    model.set_execution(**execution)
    found = {module.plain for module in model.modules() if hasattr(module, "plain")}
    assert found == {is_plain}


def test_attention_dropout_acts_alone() -> None:
    block, tokens = _block(0.0, 0.5), _tokens()
    assert not torch.equal(block(tokens), block(tokens))
    assert torch.equal(block.eval()(tokens), block(tokens))


@pytest.mark.lesson("L25")
@pytest.mark.parametrize("attention_dropout", [0.0, 0.2])
def test_the_same_seed_trains_to_the_same_bits(
    spec: Spec, change: Change, windows: Windows, attention_dropout: float
) -> None:
    noisy = change(spec, dropout=0.2, attention_dropout=attention_dropout, max_epochs=2)
    states = []
    for _ in range(2):
        model = build_model(noisy, windows)
        list(Trainer(noisy, windows, model).epochs())
        states.append(model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_training_the_plain_way_learns_the_same(spec: Spec, change: Change, windows: Windows) -> None:
    still = change(spec, dropout=0.0, max_epochs=1)
    losses = []
    for plain in (False, True):
        model = build_model(still, windows)
        trainer = Trainer(still, windows, model)
        model.set_execution(plain=plain)
        losses.append(next(iter(trainer.epochs())).train_loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
