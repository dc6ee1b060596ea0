from __future__ import annotations

import pytest

from model.spec.choices import read_blend


@pytest.mark.parametrize(
    "text", ["none", "", "boosting", "boosting:0", "boosting:1", "boosting:x", "base_rate:0.5", ":0.5"]
)
def test_what_is_no_blend_is_none(text: str) -> None:
    assert read_blend(text) is None


def test_a_blend_is_a_baseline_and_its_share() -> None:
    assert read_blend("logistic:0.25") == ("logistic", 0.25)
