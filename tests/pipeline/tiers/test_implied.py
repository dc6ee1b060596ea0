from __future__ import annotations

from pipeline.tiers.implied import IMPLIED


def test_the_eight_features():
    names = "close mean_10 mean_20 percentile_60 zscore_20 regime change_1 change_5".split()
    assert [feature.name for feature in IMPLIED] == [f"vix_{name}" for name in names]
    assert {feature.inputs for feature in IMPLIED} == {("^VIX.close",)}
