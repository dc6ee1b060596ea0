from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
import torch

from benchmarks.accelerator import parts as module
from benchmarks.accelerator.__main__ import Part, main, run_parts
from benchmarks.accelerator.cards import PEAKS, Peak, known_peak
from benchmarks.accelerator.parts import FULL, SMALL, Workplace, losses, step_flops, steps_of
from benchmarks.accelerator.report import as_markdown
from model.network.patchtst import make_model
from tests.gpu_double import gpu

PROJECT = Path(__file__).resolve().parents[2]
NEEDED, OWN = ("torch", "numpy", "pandas", "psutil"), {"model", "pipeline"}
BLOCKED = """
import json, sys
from importlib.machinery import PathFinder
blocked = set(json.loads(sys.argv[2]))
class Without:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name.partition(".")[0] in blocked else PathFinder.find_spec(name, path, target)
sys.meta_path[:] = [Without if each is PathFinder else each for each in sys.meta_path]
from benchmarks.accelerator.__main__ import main
raise SystemExit(main(["--small", "--device", "cpu", "--out", sys.argv[1]]))
"""


def _not_needed() -> list[str]:
    """Names that can be imported here and are of none of the needed distributions, nor of those that they need."""
    waiting, needed = list(NEEDED), set[str]()
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name not in needed:
            needed.add(name)
            with suppress(PackageNotFoundError):
                asked = [each for each in requires(name) or [] if "extra ==" not in each]
                waiting += [re.match(r"[\w.-]+", each)[0] for each in asked]  # type: ignore[index]
    found = packages_distributions()
    unneeded = {top for top, of in found.items() if not {each.lower().replace("_", "-") for each in of} & needed}
    return sorted(unneeded - OWN)


def _place(device: str = "cpu") -> Workplace:
    return Workplace(device=torch.device(device), peak=Peak(1e9, "a guess"), scale=SMALL)


@pytest.mark.slow
@pytest.mark.lesson("L32")
def test_it_runs_with_torch_numpy_and_pandas_alone(tmp_path: Path) -> None:
    blocked = _not_needed()
    assert {"mlflow", "optuna", "sklearn", "scipy", "pyarrow", "safetensors", "talib", "rich", "ray", "search"} <= set(
        blocked
    )
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", BLOCKED, str(tmp_path), json.dumps(blocked)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout
    report = json.loads((tmp_path / "accelerator.json").read_text())
    states = {part["part"]: part["state"] for part in report["parts"]}
    assert states.pop("resume") == "skipped" and set(states.values()) == {"done"} and len(states) == 5
    assert report["machine"]["torch"] == torch.__version__ and report["machine"]["device"] == "cpu"
    table = (tmp_path / "accelerator.md").read_text()
    assert (
        table.strip() in done.stdout and "| resume |  |  |  |  |  |  | skipped: safetensors is not installed |" in table
    )
    assert "off by 0.0e+00 in float32" in table and "in small" in table


@pytest.mark.slow
def test_on_a_gpu_every_way_is_taken_and_what_was_resumed_is_bit_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with gpu(monkeypatch) as done:
        assert main(["--small", "--device", "cpu", "--out", str(tmp_path)]) == 0
    assert {"recorded", "compiled"} == set(done)
    parts = {part["part"]: part for part in json.loads((tmp_path / "accelerator.json").read_text())["parts"]}
    assert parts["resume"]["resumed_equal"] and parts["resume"]["repeated_equal"]
    assert parts["losses"]["off"]["float32"] == 0 < parts["losses"]["off"]["as a trial"] < module.BFLOAT16_TOLERANCE
    assert [row["way"] for row in parts["2M deep"]["rows"]] == ["eager", "compiled", "graphs"]
    assert all(row["step_seconds"] > 0 and row["memory_estimated"] > 0 for row in parts["2B wide"]["rows"])
    assert len(parts["2B trial"]["epoch_seconds"]) == SMALL.trial_epochs
    out = capsys.readouterr().out
    assert "NVIDIA H0 (cpu)" in out and "this card is not in the table, shares are of the measured product" in out


def test_what_is_wrong_is_said_and_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(place: Workplace) -> module.Row:
        raise RuntimeError("first line\nsecond")

    said: list[str] = []
    given = (
        Part("long", 9.0, fail),
        Part("broken", 1.0, fail),
        Part("off", 1.0, lambda place: {"kept": False, "text": "x"}),
    )
    found = run_parts(given, _place(), 5.0, said.append)
    assert [each["state"] for each in found] == ["skipped", "failed", "done"] and len(said) == 3
    assert found[0]["why"].startswith("expected 9 s, ") and found[1]["why"] == "RuntimeError: first line"
    report = {"machine": _machine(), "small": False, "parts": found}
    assert "failed: RuntimeError: first line |" in as_markdown(report)
    for number, part in enumerate(given):
        monkeypatch.setattr("benchmarks.accelerator.__main__.SMALL_PARTS", (part,))
        code = main(["--small", "--device", "cpu", "--out", str(tmp_path), "--minutes", "0.1"])
        assert code == (0 if number == 0 else 1)


def _machine() -> dict[str, object]:
    return {
        "date": "2026-11-26",
        "python": "3.12.3",
        "torch": "2.11.0",
        "cuda": "13.0",
        "system": "Linux x86_64",
        "device": "cuda",
        "name": "NVIDIA H200",
        "free_bytes": 2**37,
        "peak": {"flops": 989e12, "source": "a datasheet"},
        "product": {"flops": 790e12, "source": "measured"},
    }


def test_a_device_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--device", "mps"])
    assert ended.value.code == 2 and "device mps needs an Apple GPU that torch can use" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "flops"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H100 NVL", 835e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA GeForce RTX 4090", 165e12),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA H0", None),
        ("NVIDIA L400", None),
        ("Tesla V100-SXM2-16GB", None),
    ],
)
def test_peaks_are_those_of_the_card_and_unknown_of_others(name: str, flops: float | None) -> None:
    found = known_peak(name)
    assert (None if found is None else found.flops) == flops
    assert all(source for _, _, source in PEAKS)


def test_operations_of_a_step_are_six_a_weight_of_a_product_and_row() -> None:
    spec = _place().spec("2B wide")
    a, batch = spec.architecture, 32
    with torch.device("meta"):
        weights = {n: p.numel() for n, p in make_model(spec, bare=True).named_parameters() if p.ndim == 2}
    of_blocks = sum(size for name, size in weights.items() if name.startswith("blocks."))
    once = weights["static.weight"] + weights["head.weight"] + a.n_patches * weights["embedding.weight"]
    attention = 2 * a.n_layers * a.n_tokens**2 * a.d_model
    assert step_flops(a, batch) == 6 * batch * (a.n_tokens * of_blocks + once + attention)


def test_full_shapes_are_of_their_budgets() -> None:
    for name, dimensions in FULL.shapes.items():
        budget, _ = name.split()
        spec = module.recipe_spec(dimensions)
        asked = float(budget[:-1]) * {"M": 1e6, "B": 1e9}[budget[-1]]
        assert abs(spec.n_params / asked - 1) < 0.25, name


def test_losses_that_differ_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([[0.5, 0.4], [0.5, 0.4 * (1 + 2 * module.FLOAT32_TOLERANCE)], [0.5, 0.4]])
    monkeypatch.setattr(module, "_epoch_losses", lambda *_: next(found))
    assert losses(_place())["kept"] is False


def test_what_was_asked_is_held_against_what_was_found_of_full_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Workplace(device=torch.device("cpu"), peak=Peak(1e9, "a guess"), scale=FULL)
    row = {"share_of_peak": 0.5, "memory_ratio": 1.05, "step_seconds": 1.0}
    assert module._asked(place, "2B wide", [row], 1.0) == {"share of peak ≥ 40%": True, "estimate within 10%": True}
    slow = {**row, "share_of_peak": 0.3, "memory_ratio": 0.8}
    assert set(module._asked(place, "200M deep", [slow], 1.0).values()) == {False}
    assert module._asked(place, "2M deep", [{**row, "memory_ratio": None}], 0.05) == {"≥ 10 × eager": True}
    assert module._asked(_place(), "2B wide", [slow], 1.0) == {}


def test_recorded_steps_are_taken_only_where_the_memory_allows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    place = _place()
    spec = place.spec("2B wide")
    windows = place.windows(spec, 64)
    with gpu(monkeypatch):
        assert list(module.ways(place, spec, windows)) == ["eager", "compiled", "graphs"]
        needed = module.ways(place, spec, windows)["eager"].memory(spec, place.device, len(windows.x_DF)).total
        monkeypatch.setattr(module, "available_memory", lambda device: needed)
        tight = module.ways(place, spec, windows)
    assert list(tight) == ["eager", "compiled"] and all(each.recompute for each in tight.values())
    assert callable(steps_of("2B wide"))
