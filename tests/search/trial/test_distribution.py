import copy
import math
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
import torch

from model.network.crps import reach_crps
from model.training.trainer import build_model, predict_rows
from model.windows import make_windows
from search.report.inputs.study_inputs import read_study_inputs
from search.study.make_plan import make_plan
from search.study.request import HpoRequest
from search.study.study import open_or_create_study
from search.tracking.artifacts import DISTRIBUTION, PREDICTIONS, read_artifact
from search.tracking.tags import NOTE
from search.trial.distribution import crps_figures, distribution_table, join_distributions, read_reach
from search.trial.runner import TrialRunner
from tests.apple_double import apple

REQUEST = HpoRequest(budget="9K", head="distribution", tier="s33", horizon=2, max_epochs=1, patience=1)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A plan of a distribution with its dataset, windows and an untrained model, and the table of its days."""
    root = tmp_path_factory.mktemp("wide")
    plan, dataset = make_plan(REQUEST, root=root)
    spec = plan.spec(plan.grid().architectures[0], {"learning_rate": 1e-3})
    windows = make_windows(
        dataset, spec.target, spec.split, spec.architecture.context_length, horizons=spec.architecture.ahead
    )
    model = build_model(spec, windows)
    return plan, dataset, root, windows, model, distribution_table(model, windows, dataset, windows.rows.validation)


def test_it_has_a_row_a_day_and_horizon_and_says_what_the_model_answers(wide):
    plan, dataset, _, windows, model, table = wide
    rows = windows.rows.validation
    assert table.groupby("horizon").size().to_dict() == dict.fromkeys((1, 2, 3, 5), len(rows))
    reach = read_reach(table, 2)
    at = torch.full((len(rows), 1), math.log1p(plan.target.threshold), dtype=torch.float64)
    assert np.allclose(reach.survival(at)[:, 0].numpy(), predict_rows(model, windows, rows), atol=1e-6)
    asked = table[table["horizon"] == 2]
    assert ((asked["reach"] >= np.log1p(plan.target.threshold)) == windows.outcomes(rows)).all()
    assert np.array_equal(asked["close"], dataset.frame["close"].to_numpy()[rows])
    assert crps_figures(table, 2)["best/crps"] == pytest.approx(asked["crps"].mean())


@pytest.mark.lesson("L9")
def test_what_longer_horizons_would_show_of_sealed_days_is_not_there(wide):
    table, n = wide[5], len(wide[3].rows.validation)
    unknown = table[table["reach"].isna()].groupby("horizon")["date"].agg(["size", "min"])
    assert unknown["size"].to_dict() == {3: 1, 5: 3}
    assert unknown.loc[5, "min"] == table["date"].iloc[n - 3]
    assert (table["crps"].isna() == table["reach"].isna()).all()
    assert (table["crps_climatology"].isna() == table["reach"].isna()).all()


def test_a_blend_does_not_change_it(wide, monkeypatch):
    _, dataset, _, windows, model, table = wide
    rows = windows.rows.validation
    before = predict_rows(model, windows, rows)
    monkeypatch.setattr(model, "blended", torch.nn.Flatten(0))
    monkeypatch.setattr(model, "forward", lambda x_BTF: torch.zeros(len(x_BTF)))
    assert not np.allclose(predict_rows(model, windows, rows), before)
    pd.testing.assert_frame_equal(distribution_table(model, windows, dataset, rows), table)


def test_a_device_without_float64_says_the_same(wide, monkeypatch):
    plan, dataset, _, windows, model, table = wide
    spec, rows = plan.spec(plan.grid().architectures[0], {"learning_rate": 1e-3}), windows.rows.validation
    with apple(monkeypatch):
        there = make_windows(
            dataset,
            spec.target,
            spec.split,
            spec.architecture.context_length,
            device="mps",
            horizons=spec.architecture.ahead,
        )
        moved = copy.deepcopy(model).to("mps")
        found = distribution_table(moved, there, dataset, rows)
        assert np.allclose(predict_rows(moved, there, rows), predict_rows(model, windows, rows), atol=1e-6)
    pd.testing.assert_frame_equal(found, table, rtol=1e-5)


@pytest.mark.slow
def test_a_trial_keeps_it_logs_its_score_and_the_report_reads_it(wide, stores):
    plan, dataset, root, *_ = wide
    study = open_or_create_study(stores, plan, trials=1, data_root=root)
    TrialRunner(study, dataset, device="cpu", report=lambda event: None, should_stop=lambda: False).run_next()
    (trial,) = study.finished()
    run = study.client.get_run(trial.user_attrs["run_id"])
    table, days = (
        pd.read_parquet(BytesIO(read_artifact(study.client, run, name))) for name in (DISTRIBUTION, PREDICTIONS)
    )
    asked = table[table["horizon"] == plan.target.horizon]
    assert run.data.metrics["best/crps"] == pytest.approx(asked["crps"].mean())
    assert 0 < run.data.metrics["best/crps_climatology"] == pytest.approx(asked["crps_climatology"].mean())
    at = torch.full((len(days), 1), math.log1p(plan.target.threshold), dtype=torch.float64)
    assert np.allclose(read_reach(table, plan.target.horizon).survival(at)[:, 0].numpy(), days["p"], atol=1e-6)
    assert "- CRPS 0." in run.data.tags[NOTE] and f"sha256/{DISTRIBUTION}" in run.data.tags
    pd.testing.assert_frame_equal(read_study_inputs(study).distribution, table)


def test_the_mean_of_seeds_is_one_mixture_whose_survival_is_the_mean_of_theirs(wide):
    table = wide[-1]
    other = table.copy()
    other[[name for name in other if name.startswith("location")]] += np.float32(0.2)
    joined = join_distributions([[table, other]])
    ahead = table["horizon"].unique()
    first = int(ahead[0])
    prices = torch.full((len(read_reach(table, first)), 1), 0.01, dtype=torch.float64)
    mean = (read_reach(table, first).survival(prices) + read_reach(other, first).survival(prices)) / 2
    assert torch.allclose(read_reach(joined, first).survival(prices), mean, atol=1e-6)
    asked = joined[joined["horizon"] == first]
    came = torch.tensor(asked["reach"].to_numpy())
    assert np.allclose(asked["crps"], reach_crps(read_reach(joined, first), came).numpy(), equal_nan=True)
    assert np.array_equal(joined["crps_climatology"], table["crps_climatology"], equal_nan=True)


def test_folds_stand_one_after_another_in_each_horizon(wide):
    table = wide[-1]
    later = table.assign(date=table["date"] + pd.Timedelta(days=3650))
    joined = join_distributions([[table], [later]])
    assert len(joined) == 2 * len(table) and joined["horizon"].is_monotonic_increasing
    assert joined.groupby("horizon")["date"].apply(lambda dates: dates.is_monotonic_increasing).all()
    assert join_distributions([[table]]) is table
