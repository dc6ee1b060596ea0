"""Channels in the sigma of the window's last day, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from model.network.window_units import WindowUnits


@pytest.mark.parametrize(("tier", "channels", "statics"), [("s40", 7, 33), ("s33", 6, 27)])
def test_moves_are_divided_by_the_last_day_s_sigma_and_logarithms_lose_it(
    tier: str, channels: int, statics: int
) -> None:
    units = WindowUnits(tier)
    x_BTF = torch.zeros(1, 3, channels + statics)
    x_BTF[0, :, 0] = torch.tensor([0.01, 0.02, -0.5])
    x_BTF[0, :, 4] = math.log(0.03)
    x_BTF[0, :, channels] = torch.tensor([math.log(0.5), math.log(0.5), math.log(0.01)])
    window_BTF, static_BS = units(x_BTF)
    assert window_BTF.shape == (1, 3, channels) and static_BS.shape == (1, statics)
    assert window_BTF[0, :, 0].tolist() == pytest.approx([1.0, 2.0, -6.0], rel=1e-5)
    assert window_BTF[0, :, 4].tolist() == pytest.approx([math.log(3)] * 3, rel=1e-5)
    assert units.log_sigma(x_BTF).tolist() == pytest.approx([math.log(0.01)])
    assert static_BS[0, 0].item() == pytest.approx(math.log(0.01))


def test_they_are_the_tier_s_and_no_part_of_a_checkpoint() -> None:
    assert not WindowUnits("s40").state_dict() and not list(WindowUnits("s40").parameters())
