"""Made-up data and specs of the recipe that is the default: pooled rows, a distribution on a linear one, an average.

Needs torch and what ``model`` reads; no data, no store, and none of the packages that compute features.
"""

from __future__ import annotations

import math
import sys
from datetime import date
from types import ModuleType
from typing import Any

import numpy as np
import torch

try:
    import talib  # noqa: F401
except ImportError:  # features are declared here, never computed
    sys.modules["talib"] = ModuleType("talib")

from model.spec.architecture import Architecture, total_parameters
from model.spec.spec import Data, Spec, Training
from model.windows import Windows
from pipeline.splits.splits import Split, SplitRows
from pipeline.splits.target import Target
from pipeline.tiers import find_tier, n_static
from pipeline.tiers.scaled import SIGMA

TIER, AHEAD, HORIZON, N_TICKERS = "s40", (1, 2, 3, 5), 1, 2
WINDOW = {"context_length": 30, "patch_length": 10, "stride": 10}
TRAINING: dict[str, Any] = {
    "learning_rate": 3e-4,
    "schedule": "flat",
    "offset": "distribution_linear",
    "weight_average": 0.99,
}


def recipe_spec(dimensions: tuple[int, int, int, int], window: dict[str, int] = WINDOW, **training: Any) -> Spec:
    """Make a spec of width, depth, heads and inner width; its budget is its own size."""
    d_model, n_layers, n_heads, d_ff = dimensions
    statics = n_static(TIER)
    architecture = Architecture(
        n_features=len(find_tier(TIER)) - statics,
        n_static=statics,
        head="distribution",
        horizons=" ".join(map(str, AHEAD)),
        d_model=d_model,
        n_layers=n_layers,
        n_heads=n_heads,
        d_ff=d_ff,
        **window,
    )
    days = [date(2000, 1, 3), date(2014, 12, 31), date(2015, 1, 1), date(2016, 12, 31)]
    return Spec(
        data=Data(dataset="0" * 32, snapshots=f"MADE={'0' * 64}", ticker="MADE", source="made up", tier=TIER),
        target=Target(horizon=HORIZON),
        split=Split(
            train_start=days[0],
            train_end=days[1],
            validation_start=days[2],
            validation_end=days[3],
            test_start=date(2017, 1, 1),
            test_end=date(2018, 12, 31),
        ),
        architecture=architecture,
        training=Training(**{**TRAINING, **training}),
        budget=str(total_parameters(architecture)),
    )


def recipe_windows(
    spec: Spec, n_train: int, n_validation: int, device: str | torch.device = "cpu", seed: int = 0
) -> Windows:
    """Random features, and reaches in proportion to each day's sigma, of two tickers one after the other."""
    random, context = np.random.default_rng(seed), spec.architecture.context_length
    of_each = -(-n_train // N_TICKERS)
    ends, a_ticker = (N_TICKERS - 1) * of_each, context + of_each + n_validation + max(AHEAD)
    days = N_TICKERS * a_ticker
    names = [feature.name for feature in find_tier(TIER)]
    x_DF = random.standard_normal((days, len(names))).astype(np.float32)
    log_sigma_D = math.log(0.01) + 0.3 * x_DF[:, names.index(SIGMA)]
    x_DF[:, names.index(SIGMA)] = log_sigma_D
    unit_DH = np.exp(log_sigma_D)[:, None] * np.sqrt(np.array(AHEAD, dtype=np.float32))
    reach_DH = (np.abs(random.standard_normal((days, len(AHEAD)))) * unit_DH).astype(np.float32)
    y_D = (reach_DH[:, AHEAD.index(HORIZON)] >= math.log1p(spec.target.threshold)).astype(np.float32)
    first = np.arange(context - 1, context - 1 + of_each)
    validation = np.arange(context + of_each, context + of_each + n_validation)
    other = a_ticker + np.arange(context - 1, context - 1 + ends)
    day_D = np.datetime64("2000-01-03") + np.arange(a_ticker)
    x = torch.from_numpy(x_DF).to(device)
    return Windows(
        x_DF=x,
        x_NTF=x.unfold(0, context, 1).transpose(1, 2),
        y_D=torch.from_numpy(y_D).to(device),
        y_host_D=y_D,
        dates_D=np.concatenate([day_D] * N_TICKERS),
        rows=SplitRows(train=first, validation=validation, test=validation),
        train_rows=np.concatenate([first, other]),
        context_length=context,
        horizons=AHEAD,
        reach_DH=torch.from_numpy(reach_DH).to(device),
    )
