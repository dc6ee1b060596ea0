from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from model.baselines import BASELINES
from model.baselines.volatility import HAR_PERIODS, VIX
from model.metrics import evaluate
from model.windows import Windows
from pipeline.bars import COLUMNS
from pipeline.datasets.dataset import DatasetVersion
from tests.model.baselines.conftest import Predict


def test_inputs_follow_the_tier(dataset: DatasetVersion, tiers: dict[str, DatasetVersion]) -> None:
    names = {
        (baseline, data.tier): list(BASELINES[baseline].inputs(data).columns)
        for baseline in ("volatility_logistic", "har_logistic")
        for data in (dataset, *tiers.values())
    }
    har = [f"log_har_volatility_{period}" for period in HAR_PERIODS]
    assert names["volatility_logistic", "r55"] == [f"log_{VIX}"]
    assert names["volatility_logistic", "r25"] == ["log_atr_over_close_14"]
    assert names["volatility_logistic", "a25"] == ["log_realised_volatility_21"]
    assert names["har_logistic", "r25"] == names["har_logistic", "a25"] == har
    assert names["har_logistic", "r55"] == [*har, f"log_{VIX}"] == names["har_logistic", "s40"]
    assert names["volatility_logistic", "s40"] == [f"log_{VIX}"]
    assert names["volatility_logistic", "s33"] == ["log_realised_volatility_21"]


def test_a_tier_in_sigma_has_the_same_vix(tiers: dict[str, DatasetVersion]) -> None:
    level, log = (BASELINES["volatility_logistic"].inputs(tiers[tier]) for tier in ("r55", "s40"))
    pd.testing.assert_frame_equal(level.loc[log.index], log, rtol=1e-9)


def test_har_from_bars_is_the_tiers_own(tiers: dict[str, DatasetVersion]) -> None:
    whole = tiers["r55"]
    bare = replace(whole, frame=whole.frame[list(COLUMNS)], features=())
    har = BASELINES["har_logistic"]
    pd.testing.assert_frame_equal(
        har.inputs(bare).iloc[30:], har.inputs(whole).drop(columns=f"log_{VIX}").iloc[30:], rtol=1e-9
    )


@pytest.mark.lesson("L24")
def test_the_volatility_level_has_skill(predict: Predict, dataset: DatasetVersion, windows: Windows) -> None:
    y = windows.y_D.numpy()[windows.rows.train].astype(np.float64)
    losses = {
        name: evaluate(y, predict(BASELINES[name], dataset, windows, "train")).loss
        for name in ("base_rate", "volatility_logistic", "har_logistic")
    }
    assert losses["har_logistic"] < losses["base_rate"]
    assert losses["volatility_logistic"] < losses["base_rate"]
