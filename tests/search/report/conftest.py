from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from model.baselines import BASELINES
from model.network.distribution import Mixture
from model.spec.budget import Budget
from search.evidence import Forecasts
from search.report.inputs.study_inputs import StudyInputs
from search.report.statistics.measure import measure
from search.space.grid import make_grid

N_RESAMPLES = 200
AHEAD = (1, 2, 3, 5)


def logistic(z):
    return 1 / (1 + np.exp(-z))


@pytest.fixture(scope="session")
def make_inputs(planned):
    """Inputs of a made-up study: baselines that know part of the signal, trials that know a little more or less."""
    grid = make_grid(Budget(text="50K"), n_features=planned[0].n_features)
    plan = replace(planned[0], study="made-up", budget="50K", grid_hash=grid.hash)

    def make(*, n_trials=50, n_days=400, edge=0.3, seed=0, noise=0.3, budget=None, **changed):
        rng = np.random.default_rng(seed)
        known, hidden = rng.normal(size=(2, n_days))
        y = (rng.random(n_days) < logistic(-1.4 + known + edge * hidden)).astype(float)
        base = np.full(n_days, y.mean())
        trials = [logistic(-1.4 + known + edge * hidden + noise * rng.normal(size=n_days)) for _ in range(n_trials)]
        architectures = grid.architectures
        specs = [
            plan.spec(
                architectures[int(rng.integers(len(architectures)))],
                {
                    "learning_rate": float(10 ** rng.uniform(-4.5, -2.6)),
                    "weight_decay": float(10 ** rng.uniform(-3, -0.6)),
                    "warmup_fraction": float(rng.uniform(0, 0.3)),
                    "dropout": float(rng.uniform(0, 0.5)),
                    "batch_size": int(rng.choice([64, 128, 192, 256])),
                },
            )
            for _ in range(n_trials)
        ]
        run_ids = [f"{number:032x}" for number in range(n_trials)]
        baselines = {"base_rate": base, "logistic": logistic(-1.4 + known)}
        forecasts = Forecasts(
            dates_D=pd.bdate_range(plan.split.validation_start, periods=n_days),
            y_D=y,
            p_MD=np.stack([*trials, *baselines.values()]),
            names=(
                *(f"trial {number} {spec.architecture.label}" for number, spec in enumerate(specs)),
                *(f"baseline {name}" for name in baselines),
            ),
            roles=("trial",) * n_trials + ("baseline",) * len(baselines),
            run_ids=(*run_ids, *(f"b{name:>31}" for name in baselines)),
            n_params=(*(spec.n_params for spec in specs), None, None),
            horizon=1,
        )
        curves = pd.DataFrame(
            [
                {"run_id": run_id, "epoch": epoch, "loss": 0.5 + 0.02 * (epoch - 2) ** 2 + 0.001 * number}
                for number, run_id in enumerate(run_ids)
                for epoch in range(1, 5)
            ]
        )
        return StudyInputs(
            plan=plan if budget is None else replace(plan, study=f"other-{budget}", budget=budget),
            target_trials=n_trials,
            n_openings=changed.pop("n_openings", 0),
            n_openings_elsewhere=0,
            forecasts=forecasts,
            specs=dict(zip(run_ids, specs, strict=True)),
            curves=curves,
            code={"0123456789ab": n_trials},
            libraries={"torch": "2.13.0"},
            **changed,
        )

    return make


@pytest.fixture(scope="session")
def make_distribution():
    """``make_distribution(dates)``: a trial's table of distributions, from which what came was drawn."""
    mixture = Mixture.of(torch.zeros(1, 36))
    shares = np.linspace(0.0005, 0.9995, 1999)
    quantile_of = dict(zip(AHEAD, mixture.quantiles(shares.tolist())[0].numpy(), strict=True))

    def make(dates, *, stretch=1.0, seed=0, ahead=AHEAD):
        rng = np.random.default_rng(seed)
        log_sigma = np.log(0.01) + 0.3 * rng.normal(size=len(dates))
        parts = []
        for horizon in ahead:
            quantile = np.interp(rng.random(len(dates)), shares, quantile_of[horizon])
            units = np.exp(log_sigma)[:, None] * np.sqrt([each for each in ahead if each <= horizon])
            came = stretch * (quantile[:, None] * units).max(1)
            held = {"date": dates, "horizon": horizon, "close": 100.0, "log_sigma": log_sigma, "reach": came}
            scores = {"crps": np.abs(came), "crps_climatology": np.abs(came) + 0.01 * rng.normal(1, 1, len(dates))}
            parts.append(pd.DataFrame({**held, **scores, **_components(mixture)}))
        return pd.concat(parts, ignore_index=True)

    return make


def _components(mixture):
    tensors = (mixture.log_weight_BHK, mixture.location_BHK, mixture.scale_BHK)
    return {
        f"{name}_{k}": float(tensor[0, 0, k])
        for name, tensor in zip(("log_weight", "location", "scale"), tensors, strict=True)
        for k in range(3)
    }


@pytest.fixture(scope="session")
def distributed_inputs(make_inputs, make_distribution):
    """Inputs of a study whose best trial has distributions of the same days."""
    own = make_inputs(n_trials=3)
    return replace(own, distribution=make_distribution(own.forecasts.dates_D))


@pytest.fixture(scope="session")
def inputs(make_inputs):
    return make_inputs()


@pytest.fixture(scope="session")
def walked_inputs(make_inputs):
    """Inputs of two trials, both walked forward over 1,000 days with every baseline."""
    own = make_inputs(n_trials=2)
    found = make_inputs(n_trials=2, n_days=1000).forecasts
    others = [name for name in BASELINES if f"baseline {name}" not in found.names]
    walked = replace(
        found,
        dates_D=pd.bdate_range("2012-01-02", periods=1000),
        p_MD=np.vstack([found.p_MD, *(0.9 * found.p_MD[-2] for _ in others)]),
        names=(*own.forecasts.names, *(f"baseline {name}" for name in others)),
        roles=(*found.roles, *("baseline" for _ in others)),
        run_ids=(*found.run_ids, *(f"c{name:>31}" for name in others)),
        n_params=(*found.n_params, *(None for _ in others)),
    )
    return replace(own, walked=walked, walked_specs={run_id: spec.hash for run_id, spec in own.specs.items()})


@pytest.fixture(scope="session")
def measured(inputs):
    return measure(inputs.forecasts, n_resamples=N_RESAMPLES)
