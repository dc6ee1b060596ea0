from __future__ import annotations

import numpy as np
import pytest

from pipeline.tiers import find_tier


@pytest.mark.parametrize("feature", find_tier("r25"), ids=lambda feature: feature.name)
def test_the_level_of_prices_does_not_matter(bars, feature):
    dearer = bars.assign(**{name: bars[name] * 1000 for name in ("open", "high", "low", "close", "adj_close")})
    np.testing.assert_allclose(feature.compute(dearer), feature.compute(bars), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("feature", find_tier("r25"), ids=lambda feature: feature.name)
def test_the_level_of_volume_hardly_matters(bars, feature):
    busier = bars.assign(volume=bars["volume"] * 1000)
    np.testing.assert_allclose(feature.compute(busier), feature.compute(bars), rtol=0.01, atol=5e-3)


def test_bands_that_coincide_put_the_close_in_the_middle():
    from pipeline.indicators.relative import bollinger_percent_b

    assert bollinger_percent_b(np.full(30, 7.0), 20, 2.0)[-1] == 0.5
