"""Does a distribution find an edge that is in its tail alone, and none where outcomes are shuffled?"""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch

from model.metrics import evaluate
from model.network.question import Question
from model.spec.architecture import Architecture, total_parameters
from model.spec.spec import Data, Spec, Training
from model.training.trainer import Trainer, build_model, predict_rows
from model.windows import make_windows
from pipeline.calendars import sessions
from pipeline.datasets.build import build_dataset
from pipeline.snapshots.pull import pull
from pipeline.sources import open_source
from pipeline.splits.splits import Split
from pipeline.splits.target import Target

LAG = 10
NEAR, FAR = 0.005, 0.018
pytestmark = pytest.mark.slow


def tail_market(seed=1):
    """Bars whose next high passes +0.5 % on half of all days, whatever came before; the volume ten days before decides
    how often it then goes beyond +1.8 %."""
    days = sessions("XNYS", date(2000, 1, 1), date(2016, 12, 31))
    generator, n = np.random.default_rng(seed), len(days)
    volume = generator.normal(size=n)
    rises = generator.random(n) < 0.5
    share = np.full(n, 0.2)
    share[LAG + 1 :] = 1 / (1 + np.exp(1.5 - 2.0 * volume[: -LAG - 1]))
    jumps = rises & (generator.random(n) < share)
    close = 100 * np.cumprod(1 + np.clip(generator.normal(0, 0.002, n), -0.0029, 0.0029))
    before = np.append(100, close[:-1])
    uniform = generator.random(n)
    near, beyond = 0.003 + 0.002 * uniform, 0.005 + 0.007 * uniform
    reach = np.where(jumps, 0.018 + generator.exponential(0.006, n), np.where(rises, beyond, near))
    high = before * (1 + reach)
    low = np.minimum(before, close) * (1 - np.abs(generator.normal(0, 0.002, n)))
    bars = {"Open": before, "High": high, "Low": low, "Close": close, "Volume": np.round(1e6 * np.exp(0.5 * volume))}
    return pd.DataFrame({"Date": days.strftime("%Y-%m-%d"), **bars})


@pytest.fixture(scope="module")
def tail(tmp_path_factory):
    """A spec of a distribution on that market, and its windows."""
    root = tmp_path_factory.mktemp("tail")
    tail_market().to_csv(root / "TAIL.csv", index=False)
    snapshot, *_ = pull(root / "data", open_source(f"csv:{root}?adjusted=yes"), "TAIL")
    dataset = build_dataset(root / "data", snapshot, "s33")
    architecture = Architecture(
        n_features=6,
        n_static=27,
        context_length=30,
        patch_length=5,
        stride=5,
        d_model=32,
        n_layers=2,
        n_heads=4,
        d_ff=64,
        head="distribution",
        horizons="1 2",
    )
    spec = Spec(
        data=Data(dataset=dataset.digest, snapshots="TAIL=0", ticker="TAIL", source="csv", tier="s33"),
        target=Target(horizon=1),
        split=Split(
            train_start=date(2000, 1, 1),
            train_end=date(2012, 12, 31),
            validation_start=date(2013, 1, 1),
            validation_end=date(2015, 12, 31),
            test_start=date(2016, 1, 1),
            test_end=date(2016, 12, 31),
        ),
        architecture=architecture,
        training=Training(
            learning_rate=3e-3,
            dropout=0.3,
            schedule="flat",
            weight_average=0.95,
            max_epochs=4,
            patience=0,
            offset="distribution_linear",
        ),
        budget=str(total_parameters(architecture)),
    )
    return spec, dataset, make_windows(dataset, spec.target, spec.split, 30, horizons=(1, 2))


def trained(spec, windows):
    model = build_model(spec, windows)
    for _ in Trainer(spec, windows, model).epochs():
        pass
    return model.eval()


def evaluated(model, windows, dataset, threshold):
    rows = windows.rows.validation
    model.question = Question(horizon=1, threshold=threshold)
    outcomes = Target(horizon=1, threshold=threshold).labels(dataset.frame)[rows]
    return evaluate(outcomes, predict_rows(model, windows, rows))


@pytest.mark.lesson("L23")
def test_an_edge_in_the_tail_alone_is_found_there_and_nowhere_else(tail):
    spec, dataset, windows = tail
    model = trained(spec, windows)
    far, near = (evaluated(model, windows, dataset, each) for each in (FAR, NEAR))
    assert far.skill > 0.05 and far.roc_auc > 0.7
    assert near.roc_auc == pytest.approx(0.5, abs=0.05)


@pytest.mark.lesson("L23")
def test_shuffled_days_leave_no_skill_at_any_threshold(tail):
    spec, dataset, windows = tail
    reach_DH, rows = windows.reach_DH.clone(), torch.from_numpy(windows.train_rows)
    reach_DH[rows] = reach_DH[rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))]]
    model = trained(spec, replace(windows, reach_DH=reach_DH))
    assert max(evaluated(model, windows, dataset, each).skill for each in (NEAR, 0.01, FAR)) < 0.01
