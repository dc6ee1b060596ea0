from __future__ import annotations

import pytest

from benchmarks.serving import SHAPES, architecture_of, main
from model.spec.architecture import total_parameters


@pytest.mark.slow
@pytest.mark.lesson("L32")
def test_it_runs_and_prints_versions_latencies_and_parts(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--shape", "d8-L1-h2-ff16", "--members", "2", "--requests", "5"])
    head, _, titles, _, line = capsys.readouterr().out.splitlines()
    assert "mlflow 3" in head and "server on one" in head
    columns = dict(zip(titles.split(" | "), line.split(" | "), strict=True))
    assert 0 < float(columns["least"]) <= float(columns["p50"]) <= float(columns["p95"])
    assert all(float(columns[name]) > 0 for name in ("processor", "parse", "features", "forward"))
    assert columns["members"] == "2"


@pytest.mark.parametrize("label", SHAPES)
def test_the_shapes_are_of_the_budget(label: str) -> None:
    assert 1.5e6 <= total_parameters(architecture_of(label, 33)) <= 2.5e6


def test_a_shape_that_is_none_is_refused() -> None:
    with pytest.raises(SystemExit, match="a shape must look like"):
        main(["--shape", "64x64"])
