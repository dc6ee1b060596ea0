from __future__ import annotations

from pipeline.tiers.volatility import RETURNS_AND_VOLATILITY


def test_the_features_by_name():
    names = (
        "return_1 return_5 return_21 return_63 return_252 realised_volatility_21 realised_volatility_63 parkinson_21 "
        "garman_klass_21 yang_zhang_21 har_volatility_1 har_volatility_5 har_volatility_22 variance_premium "
        "close_over_high_252 close_over_low_252 volume_ratio_5_63 overnight_return intraday_return gap "
        "day_of_week month"
    )
    assert [feature.name for feature in RETURNS_AND_VOLATILITY] == names.split()
