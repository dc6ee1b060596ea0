from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from model.spec.spec import Spec
from model.training.execution import Execution
from model.training.trainer import Trainer, build_model
from model.windows import make_windows
from pipeline.datasets.dataset import DatasetVersion

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
Change = Callable[..., Spec]


@pytest.mark.parametrize("settings", [{"graphed": True}, {"graphed": True, "compiled": True}, {"compiled": True}])
def test_recorded_and_compiled_steps_equal_plain_ones(
    spec: Spec, change: Change, dataset: DatasetVersion, settings: dict[str, bool]
) -> None:
    plain = change(spec, dropout=0.0, max_epochs=2)
    windows = make_windows(dataset, plain.target, plain.split, plain.architecture.context_length, device="cuda")
    losses = []
    for execution in (Execution(micro_batch=128), Execution(micro_batch=128, **settings)):
        model = build_model(plain, windows)
        losses.append([each.train_loss for each in Trainer(plain, windows, model, execution).epochs()])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_dropout_differs_from_step_to_step_of_a_recorded_one(
    spec: Spec, change: Change, dataset: DatasetVersion
) -> None:
    dropped = change(spec, dropout=0.5, learning_rate=1e-12, max_epochs=2)
    windows = make_windows(dataset, dropped.target, dropped.split, dropped.architecture.context_length, device="cuda")
    trainer = Trainer(dropped, windows, build_model(dropped, windows), Execution(micro_batch=128, graphed=True))
    first, second = (each.train_loss for each in trainer.epochs())
    assert first != second
