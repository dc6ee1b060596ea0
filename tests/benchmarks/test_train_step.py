from __future__ import annotations

import pytest
import torch

from benchmarks.train_step import LIMITS, TorchEncoder, main, spec_of
from model.spec.architecture import total_parameters

TINY = "d8-L1-h2-ff16"


@pytest.mark.slow
@pytest.mark.lesson("L32")
def test_it_runs_and_prints_versions_and_both_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--shape", TINY, "--rounds", "2", "--batch", "16"]) == 0
    head, _, titles, _, line = capsys.readouterr().out.splitlines()
    assert f"torch {torch.__version__}" in head and "cores, 1 thread" in head
    columns = dict(zip(titles.split(" | "), line.split(" | "), strict=True))
    assert float(columns["ours / products"]) > 0 and float(columns["torch / ours"]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("label", LIMITS)
def test_the_shapes_have_nine_patches_and_torch_as_many_parameters(label: str) -> None:
    spec = spec_of(label)
    architecture = spec.architecture
    assert architecture.label == label and architecture.n_patches == 9 and architecture.n_tokens == 10
    assert architecture.ahead and spec.training.offset == "distribution_linear" and spec.training.weight_average == 0.99
    with torch.device("meta"):
        theirs = sum(parameter.numel() for parameter in TorchEncoder(architecture).parameters())
    assert theirs == total_parameters(architecture)


@pytest.mark.slow
def test_a_shape_that_is_none_is_refused() -> None:
    with pytest.raises(SystemExit, match="a shape must look like"):
        main(["--shape", "64x48"])
    with pytest.raises(SystemExit, match="a window must look like"):
        main(["--shape", TINY, "--window", "30"])


@pytest.mark.slow
def test_the_window_of_a_study_has_four_tokens() -> None:
    assert spec_of(TINY, window="30/10/10").architecture.n_tokens == 4
