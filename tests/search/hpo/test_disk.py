import os
import tempfile

import pytest

from search.hpo.disk import disk_of
from search.results.weights import WeightKeeper
from search.study.make_plan import make_plan
from search.study.request import HpoRequest
from search.study.study import open_or_create_study
from search.trial.runner import TrialRunner

REQUEST = HpoRequest(
    budget="9K", max_epochs=2, patience=0, tier="r25", d_model=(16,), n_layers=(2,), n_heads=(1, 2), ff_ratio=(2,)
)
KEPT = (".safetensors", ".part", ".parquet")


def held(*directories):
    """Bytes of weights, training states and dataset versions, wherever they lie."""
    found = [os.path.join(path, name) for each in directories for path, _, names in os.walk(each) for name in names]
    return sum(os.path.getsize(path) for path in found if path.endswith(KEPT) and "predictions" not in path)


@pytest.fixture
def peak(home, monkeypatch):
    """Most bytes that there ever were, looked at before each file comes to its place."""
    spare, seen, replace = home / "tmp", [0], os.replace
    spare.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spare))

    def look(*names):
        seen.append(
            held(home / "mlruns" / "artifacts", home / "mlruns" / "training", home / "data" / "datasets", spare)
        )
        return replace(*names) if names else max(seen)

    monkeypatch.setattr(os, "replace", look)
    return look


@pytest.mark.slow
def test_the_peak_of_a_study_is_what_was_counted(home, stores, peak):
    plan, dataset = make_plan(REQUEST, root=home / "data")
    study = open_or_create_study(stores, plan, trials=4, data_root=home / "data", keep="2", pruner="none")
    runner = TrialRunner(study, dataset, device="cpu", report=lambda event: None, should_stop=lambda: False)
    keeper = WeightKeeper(study, stores, pytest.fail)
    while len(study.finished()) < 4:
        runner.run_next()
        keeper.after(len(study.finished()))
    counted = disk_of(plan, root=home / "data", trials=4, left=4, workers=1, keep=2)
    assert counted.total == pytest.approx(peak(), rel=0.1)
    assert (counted.n_kept, counted.n_running) == (2, 1)
    assert counted.data == sum(path.stat().st_size for path in (home / "data" / "datasets").glob("*.parquet"))
    without = counted.total - counted.data
    assert without == pytest.approx(peak() - counted.data, rel=0.1), "also of what is trained alone"


def test_it_grows_with_what_is_kept_and_run(planned):
    plan, _, root = planned
    sizes = [
        disk_of(plan, root=root, trials=50, left=50, workers=workers, keep=keep)
        for workers, keep in ((1, 1), (2, 1), (2, 5), (2, None))
    ]
    assert [each.n_kept for each in sizes] == [1, 1, 5, 50]
    assert sizes[0].total < sizes[1].total < sizes[2].total < sizes[3].total
    assert sizes[2].weights == 5 * sizes[0].weights and sizes[1].running == 2 * sizes[0].running
    on_a_server = disk_of(plan, root=root, trials=50, left=50, workers=2, keep=5, served=True)
    assert on_a_server.weights == sizes[2].weights and 1.5 < on_a_server.running / sizes[2].running < 3
    assert (sizes[2].models, on_a_server.models) == (0, on_a_server.weights), "a link, or a copy on the server"
    every = disk_of(plan, root=root, trials=50, left=50, workers=2, keep=None, served=True)
    assert every.models == on_a_server.models, "five, where all keep their weights"
    extended = disk_of(plan, root=root, trials=50, left=20, workers=2, keep=5)
    assert extended.models == extended.weights, "models of trials that lose meanwhile"
    assert "logged models" in extended.text() and "logged models" not in sizes[2].text()
    nothing_left = disk_of(plan, root=root, trials=3, left=0, workers=2, keep=5)
    assert (nothing_left.n_kept, nothing_left.running) == (3, 0)
