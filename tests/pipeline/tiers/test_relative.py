from __future__ import annotations

from pipeline.tiers.levels import A25
from pipeline.tiers.relative import R25


def test_it_carries_what_a25_carries_feature_by_feature():
    """Same place, same inputs up to the scale that they are divided by, same parameters."""
    for relative, level in zip(R25[5:], A25[5:], strict=True):
        assert set(level.inputs) <= set(relative.inputs)
        if level.parameters:
            assert relative.parameters == level.parameters
