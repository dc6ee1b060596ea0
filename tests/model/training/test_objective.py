"""What a batch is trained to, and that a distribution learns of no day after the last that training may read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from model.network.patchtst import make_model
from model.spec.spec import Spec
from model.training.objective import BinaryObjective, DistributionObjective, make_objective, training_reach
from model.training.trainer import build_model
from model.windows import Windows, make_windows, to_tensor
from pipeline.datasets.dataset import DatasetVersion

Change = Callable[..., Spec]


def test_a_binary_head_learns_the_log_loss_of_the_event(spec: Spec, windows: Windows) -> None:
    model = make_model(spec)
    rows = to_tensor(windows.train_rows[:32], "cpu")
    objective = make_objective(model, windows, spec.training)
    assert isinstance(objective, BinaryObjective)
    x_BTF, y_B = windows.batch(rows)
    expected = functional.binary_cross_entropy_with_logits(model.eval()(x_BTF)[:20], y_B[:20])
    assert torch.allclose(objective(rows, 20), expected)


def test_thresholds_are_drawn_anew_from_torch_s_generator(wide: Spec, wide_windows: Windows) -> None:
    model = make_model(wide).eval()
    objective = make_objective(model, wide_windows, wide.training)
    assert isinstance(objective, DistributionObjective)
    rows = to_tensor(wide_windows.train_rows[:32], "cpu")
    torch.manual_seed(1)
    first, second = objective(rows, 32), objective(rows, 32)
    torch.manual_seed(1)
    assert torch.equal(objective(rows, 32), first) and not torch.equal(first, second)


def test_reach_is_in_the_sigma_of_its_day_and_the_root_of_its_days(wide: Spec, wide_windows: Windows) -> None:
    reach_DH, asked_DH = training_reach(make_model(wide), wide_windows)
    row, (column, days) = int(wide_windows.train_rows[100]), (3, 5)
    assert wide_windows.horizons[column] == days and wide_windows.reach_DH is not None
    sigma = float(wide_windows.x_DF[row, wide.architecture.n_features].exp()) * days**0.5
    assert reach_DH[row, column].item() == pytest.approx(float(wide_windows.reach_DH[row, column]) / sigma, rel=1e-5)
    assert asked_DH[row, column].item() == pytest.approx(np.log(1.01) / sigma, rel=1e-5)


@pytest.mark.lesson("L11")
def test_prices_after_the_last_training_label_change_no_loss(
    wide: Spec, wide_windows: Windows, wide_dataset: DatasetVersion
) -> None:
    last = wide_windows.dates_D[wide_windows.train_rows + wide.target.horizon].max()
    frame = wide_dataset.frame.copy()
    later = frame.index > last
    frame.loc[later, ["high", "close"]] *= 1.5
    changed = make_windows(
        replace(wide_dataset, frame=frame), wide.target, wide.split, 30, horizons=wide.architecture.ahead
    )
    assert np.array_equal(changed.train_rows, wide_windows.train_rows)
    own, others = (each.training_reach(wide.target.horizon) for each in (wide_windows, changed))
    assert torch.equal(own.nan_to_num(-9), others.nan_to_num(-9))
    end = int(wide_windows.train_rows.max())
    assert own[end].isfinite().tolist() == [True, False, False, False]
    assert own[end - 5].isfinite().all()


@pytest.mark.lesson("L11")
def test_the_fitted_line_knows_no_later_price_and_no_validation_day(
    wide: Spec, change: Change, wide_windows: Windows, wide_dataset: DatasetVersion
) -> None:
    with_line = change(wide, offset="distribution_linear")
    last = wide_windows.dates_D[wide_windows.train_rows + wide.target.horizon].max()
    frame = wide_dataset.frame.copy()
    frame.loc[frame.index > last, ["high", "close", *wide_dataset.features]] *= 1.5
    changed = make_windows(
        replace(wide_dataset, frame=frame), wide.target, wide.split, 30, horizons=wide.architecture.ahead
    )
    own, others = build_model(with_line, wide_windows), build_model(with_line, changed)
    for name, tensor in own.state_dict().items():
        assert torch.equal(tensor, others.state_dict()[name]), name
