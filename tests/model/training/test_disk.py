import pytest

from model.network.checkpoint import save_checkpoint
from model.training.disk import trial_disk
from model.training.resume import save_training
from model.training.trainer import Trainer, build_model


@pytest.mark.parametrize(
    "training",
    [{}, {"weight_average": 0.99}, {"offset": "logistic", "first_epoch": 0}],
    ids=["plain", "averaged", "on_an_offset"],
)
def test_files_are_as_large_as_counted(members, tmp_path, training):
    (spec,), _, windows = members("r33", (0,), max_epochs=1, **training)
    trainer = Trainer(spec, windows, build_model(spec, windows))
    for _ in trainer.epochs():
        save_training(tmp_path / "state", trainer)
    save_checkpoint(tmp_path / "checkpoint", spec, trainer.model)
    counted = trial_disk(spec)
    assert counted.state == pytest.approx((tmp_path / "state").stat().st_size, rel=0.03)
    assert counted.checkpoint == pytest.approx((tmp_path / "checkpoint").stat().st_size, rel=0.01)
    states = 2 if "offset" in training else 1
    assert counted.running == max(states * counted.state, counted.state + 2 * counted.checkpoint)
