import numpy as np
import pytest
from scipy.signal import lfilter


def persistent(rng, memory, shape):
    """Standard normal series that remember: first-order autoregression along the last axis."""
    noise = rng.normal(size=(*shape[:-1], shape[-1] + 300)) * np.sqrt(1 - memory**2)
    return lfilter([1], [1, -memory], noise, axis=-1)[..., 300:]


@pytest.fixture(scope="session")
def market():
    """Outcomes that cluster as volatility does, base rate about 0.2, and what drives them."""

    def make(seed, n_days=502, memory=0.97):
        rng = np.random.default_rng(seed)
        driver_D = persistent(rng, memory, (n_days,))
        chance_D = 1 / (1 + np.exp(1.64 - 0.8 * driver_D))
        return (rng.random(n_days) < chance_D).astype(float), driver_D

    return make


@pytest.fixture(scope="session")
def noise():
    """Forecasts of 50 models that know nothing, autocorrelated as forecasts are."""

    def make(seed, n_days=502, n_models=50, memory=0.95, spread=0.3):
        z_MD = persistent(np.random.default_rng(1000 + seed), memory, (n_models, n_days))
        return 1 / (1 + np.exp(1.386 - spread * z_MD))

    return make
