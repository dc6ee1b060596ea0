from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.network.patchtst import PatchTST
from model.serving.ensemble import Ensemble
from model.serving.packaged import PackagedModel
from model.spec.architecture import Architecture
from pipeline.exceptions import InputError

SHAPE = Architecture(n_features=5, d_model=16, n_layers=3, n_heads=2, d_ff=32)
FORMS = {
    "plain": SHAPE,
    "revin": replace(SHAPE, instance_norm="revin"),
    "many heads": replace(SHAPE, n_heads=8, d_ff=48),
    "short": replace(SHAPE, context_length=12),
}


def make(architecture: Architecture, seed: int) -> PatchTST:
    torch.manual_seed(seed)
    model = PatchTST(architecture, dropout=0.3, attention_dropout=0.2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    model.set_statistics(torch.randn(100, architecture.n_features) * 3 + 1)
    return model


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("windows", [1, 7])
def test_the_logits_are_those_of_the_members_one_by_one(form, count, windows):
    models = [make(FORMS[form], seed).eval() for seed in range(count)]
    x_BTF = torch.randn(windows, FORMS[form].context_length, 5)
    with torch.inference_mode():
        expected = torch.stack([model(x_BTF) for model in models])
    assert expected.abs().min() > 1e-3
    torch.testing.assert_close(Ensemble(models)(x_BTF), expected, rtol=0, atol=2e-6)


def test_every_member_counts():
    models = [make(SHAPE, seed) for seed in range(3)]
    x_BTF = torch.randn(2, 60, 5)
    before = Ensemble(models)(x_BTF)
    with torch.no_grad():
        models[1].blocks[2].contract.bias.add_(1.0)
    changed = Ensemble(models)(x_BTF) != before
    assert changed.any(dim=1).tolist() == [False, True, False]


def test_dropout_is_off_and_weights_are_copies():
    models = [make(SHAPE, 0).train()]
    ensemble = Ensemble(models)
    x_BTF = torch.randn(2, 60, 5)
    assert torch.equal(ensemble(x_BTF), ensemble(x_BTF))


@pytest.mark.parametrize("models", [[], [make(SHAPE, 0), make(replace(SHAPE, d_ff=16), 0)]])
def test_architectures_must_agree(models):
    with pytest.raises(InputError, match="one architecture"):
        Ensemble(models)


def test_a_package_of_several_architectures_averages_all(members):
    specs, (model, _), _ = members("r25", (0, 1))
    other = make(replace(specs[0].architecture, n_layers=1), 3).eval()
    packaged = PackagedModel(members=(model, other, model), specs=(specs[0],) * 3, facts=None)
    alone = [replace(packaged, members=(each,)) for each in packaged.members]
    x_DF = np.random.default_rng(0).normal(size=(61, 25)).astype(np.float32)
    expected = np.mean([each.probabilities(x_DF) for each in alone], axis=0)
    np.testing.assert_allclose(packaged.probabilities(x_DF), expected, rtol=0, atol=1e-9)
