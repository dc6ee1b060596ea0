import pytest
import torch

from model.training.device import choose_device
from pipeline.exceptions import InputError


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(InputError, match="take auto or cpu"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda")
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["tpu", "", "CUDA", "cuda:1"])
def test_an_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="device must be auto, cpu or cuda"):
        choose_device(name)
