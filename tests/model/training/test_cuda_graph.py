from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from model.spec.spec import Spec
from model.training.execution import Execution
from model.training.trainer import Trainer, build_model
from model.windows import Windows, make_windows
from pipeline.datasets.dataset import DatasetVersion
from tests.gpu_double import gpu

needs_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
Change = Callable[..., Spec]


@needs_a_gpu
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


@needs_a_gpu
def test_dropout_differs_from_step_to_step_of_a_recorded_one(
    spec: Spec, change: Change, dataset: DatasetVersion
) -> None:
    dropped = change(spec, dropout=0.5, learning_rate=1e-12, max_epochs=2)
    windows = make_windows(dataset, dropped.target, dropped.split, dropped.architecture.context_length, device="cuda")
    trainer = Trainer(dropped, windows, build_model(dropped, windows), Execution(micro_batch=128, graphed=True))
    first, second = (each.train_loss for each in trainer.epochs())
    assert first != second


def test_a_recorded_step_starts_from_where_it_was_before_it_was_recorded(
    wide: Spec, change: Change, wide_windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = change(wide, offset="distribution_linear", dropout=0.3, max_epochs=2, weight_average=0.9)
    states = []
    with gpu(monkeypatch) as done:
        for graphed in (False, True):
            trainer = Trainer(
                given, wide_windows, build_model(given, wide_windows), Execution(micro_batch=128, graphed=graphed)
            )
            losses = [trainer.train_epoch() for _ in range(2)]
            states.append([torch.tensor(losses), *trainer.model.state_dict().values()])
    assert done == ["recorded"]
    assert all(torch.equal(plain, recorded) for plain, recorded in zip(*states, strict=True))


@pytest.mark.parametrize("steps_before", [0, 2, 3])
def test_memory_that_runs_out_while_it_is_recorded_leaves_no_trace(
    wide: Spec, change: Change, wide_windows: Windows, monkeypatch: pytest.MonkeyPatch, steps_before: int
) -> None:
    given = change(wide, dropout=0.3, max_epochs=1, weight_average=0.9)

    def after_an_epoch(*, graphed: bool) -> list[torch.Tensor]:
        trainer = Trainer(
            given, wide_windows, build_model(given, wide_windows), Execution(micro_batch=128, graphed=graphed)
        )
        taken, take = [], trainer._stepper._step

        def step(rows: torch.Tensor) -> torch.Tensor:
            taken.append(rows)
            if graphed and len(taken) == steps_before + 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return take(rows)

        monkeypatch.setattr(trainer._stepper, "_step", step)
        loss = trainer.train_epoch()
        assert not trainer._stepper.execution.graphed
        return [torch.tensor(loss), *trainer.model.state_dict().values()]

    with gpu(monkeypatch):
        plain, recorded = (after_an_epoch(graphed=graphed) for graphed in (False, True))
    assert all(torch.equal(*each) for each in zip(plain, recorded, strict=True))
