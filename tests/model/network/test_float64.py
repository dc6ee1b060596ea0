from __future__ import annotations

import pytest
import torch
from torch import nn

from model.network.float64 import HostFloat64, in_float64
from tests.apple_double import apple


class Held(HostFloat64):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("exact", torch.ones(2, dtype=torch.float64))


def test_float64_is_on_the_host_where_the_device_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    value = torch.tensor([0.1])
    assert torch.equal(in_float64(value), value.double()) and in_float64(torch.empty(1, device="meta")).is_meta
    with apple(monkeypatch):
        found = in_float64(torch.tensor([0.1], device="mps"))
        assert found.device.type == "cpu" and torch.equal(found, value.double())


def test_a_module_of_float64_stays_where_that_is_and_moves_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Linear(2, 2), Held())
    assert model.to("meta")[1].exact.is_meta
    with apple(monkeypatch):
        held = nn.Sequential(nn.Linear(2, 2), Held()).to("mps")
        assert held[0].weight.device.type == "mps"
        assert held[1].exact.device.type == "cpu" and held[1].exact.dtype == torch.float64
        assert held.cpu()[0].weight.device.type == "cpu"
