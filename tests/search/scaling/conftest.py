import numpy as np
import pytest

from search.scaling.points import Points

UPPER_NORMAL = 0.8416212


def correlated(random, shape, rho):
    """Standard normal noise that remembers the day before."""
    noise = random.normal(size=shape)
    for day in range(1, shape[-1]):
        noise[..., day] = rho * noise[..., day - 1] + np.sqrt(1 - rho**2) * noise[..., day]
    return noise


def simulate(
    seed,
    *,
    sizes,
    trials=10,
    n_days=502,
    floor=0.4,
    gain=0.0,
    alpha=0.3,
    bend=0.0,
    trial_sd=0.004,
    day_sd=0.6,
    own_sd=0.06,
    size_sd=0.03,
    rho=0.1,
):
    """Studies whose law is known, with the noise that 27 trials of 50K on SPY 2023-24 have.

    Measured there: the mean loss of a day has a deviation of 0.63 (a fifth of the days are
    positive and cost most), what is a trial's own on a day 0.060, the means of trials 0.0032, and no
    autocorrelation. ``size_sd`` is what a day adds to the loss of the largest size over the smallest, ``rho``
    the memory of all of these.
    """
    random = np.random.default_rng(seed)
    counts = np.broadcast_to(trials, len(sizes))
    budget_T = np.repeat(np.arange(len(sizes)), counts)
    n_params_T = np.repeat(np.asarray(sizes, dtype=float), counts) * random.uniform(0.8, 1.2, size=counts.sum())
    u_T = np.log(n_params_T) - np.log(n_params_T).mean()
    added_T = gain * n_params_T**-alpha + bend * u_T**2 + trial_sd * random.normal(size=len(u_T))
    costly = correlated(random, (n_days,), rho) > UPPER_NORMAL
    day_D = floor + day_sd * np.where(costly, 2.0, -0.5)
    by_size_D = size_sd * correlated(random, (n_days,), rho)
    own_TD = own_sd * correlated(random, (len(u_T), n_days), rho)
    shaken_TD = (u_T[:, None] / np.ptp(u_T) * by_size_D + own_TD) / np.hypot(floor, day_sd)
    return Points(
        budgets=tuple(f"{size / 1000:g}K" for size in sizes),
        budget_T=budget_T,
        n_params_T=n_params_T,
        losses_TD=np.maximum(day_D * (1 + shaken_TD) + added_T[:, None], 1e-6),
        names=tuple(f"trial {t}" for t in range(len(u_T))),
    )


@pytest.fixture(scope="session")
def simulated():
    return simulate
