"""How weights start; their scale in a whole model is proved in test_patchtst."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from model.network.initialise import initialise


def _start(init: str, width: int) -> tuple[nn.Linear, nn.Parameter]:
    torch.manual_seed(0)
    line, positions = nn.Linear(width, 2000), nn.Parameter(torch.empty(9, 500))
    initialise(nn.Sequential(line), positions, init, n_layers=1)
    return line, positions


@pytest.mark.lesson("L48")
@pytest.mark.parametrize("width", [16, 256])
def test_what_goes_through_a_matrix_keeps_its_spread_at_any_width(width: int) -> None:
    line, _ = _start("fan_in", width)
    assert line(torch.randn(200, width)).std().item() == pytest.approx(1.0, rel=0.1)
    plain, positions = _start("normal", width)
    assert plain.weight.std().item() == pytest.approx(0.02, rel=0.05) == positions.std().item()


def test_on_the_meta_device_nothing_is_drawn() -> None:
    with torch.device("meta"):
        line, positions = nn.Linear(2, 2), nn.Parameter(torch.empty(1, 2))
    state = torch.get_rng_state()
    initialise(line, positions, "fan_in", n_layers=1)
    assert torch.equal(torch.get_rng_state(), state)
