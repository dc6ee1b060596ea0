"""The dry run says what a campaign would take, and leaves nothing behind."""

import io
import json
import os
from dataclasses import replace
from functools import cache

import pytest
from rich.console import Console

from search.cli import main
from search.hpo import dry_run
from search.hpo import estimate as module
from search.hpo.campaign import plan_campaign
from search.study.request import HpoRequest
from search.tracking.stores import open_storage, open_tracking

COMMAND = [
    "campaign",
    "--budgets",
    "5K,6K",
    "--tier",
    "r25",
    "--horizons",
    "1,3",
    "--trials",
    "4",
    "--max-epochs",
    "2",
    "--dry-run",
]


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code, *capsys.readouterr()


start_seconds = cache(dry_run.start_seconds)


@pytest.fixture
def measured(monkeypatch):
    """What was measured, in order; the measuring itself is real, that of a start is done once."""
    monkeypatch.setattr(dry_run, "start_seconds", start_seconds)
    found, real = [], module.measure_pace

    def measure(spec, windows, execution):
        found.append(spec.budget)
        return real(spec, windows, execution, limit=0.05)

    monkeypatch.setattr(module, "measure_pace", measure)
    return found


@pytest.mark.slow
@pytest.mark.lesson("L9")
def test_a_dry_run_leaves_no_run_and_no_study(capsys, home, stores, measured):
    code, out, _ = run(capsys, *COMMAND)
    assert code == 0
    assert out.count("-5K-") == out.count("-6K-") == 4, "two studies a budget: what each takes of time and of disk"
    assert "it is an upper bound" in out
    assert out.count("weights of 4 trials") == out.count("records come on top") == 4
    assert sorted(measured) == measured and set(measured) == {"5K", "6K"}
    client = open_tracking(stores)
    assert [e.name for e in client.search_experiments()] == ["Default"]
    assert client.search_runs(["0"]) == []
    assert open_storage(stores).get_all_studies() == []
    assert sorted(os.listdir(home)) == ["data", "mlruns"]


@pytest.mark.slow
def test_a_dry_run_makes_no_store_where_there_is_none(capsys, tmp_path, monkeypatch, measured):
    monkeypatch.chdir(tmp_path)
    assert run(capsys, *COMMAND)[0] == 0
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.slow
def test_json_holds_every_study_and_its_time_follows_from_what_was_measured(capsys, home, measured):
    code, out, err = run(capsys, *COMMAND, "--json", "--workers", "2", "--keep", "3")
    found = json.loads(out)["studies"]
    assert code == 0
    assert [(s["budget"], s["horizon"]) for s in found] == [("5K", 1), ("5K", 3), ("6K", 1), ("6K", 3)]
    assert "running a few steps" in err
    for study in found:
        assert study["does_not_fit"] is None
        assert study["steps_per_epoch"] == 30
        steps = [m["step_seconds"] for m in study["measured"]]
        passes = [m["validation_seconds"] for m in study["measured"]]
        epochs = 4 * 2 / study["at_once"]
        trained = study["seconds_at_most"] - study["seconds_on_top"]
        assert 0.3 * epochs * (30 * min(steps) + min(passes)) < trained
        assert trained < 3 * epochs * (30 * max(steps) + max(passes))
        assert study["seconds_on_top"] > 1.5, "four starts of a process that loads torch and MLflow"
        assert (study["trials"], study["finished"]) == (4, 0)
        disk = study["disk_bytes"]
        assert (disk["n_kept"], disk["n_running"]) == (3, 2)
        assert disk["total"] == disk["weights"] + disk["running"] + disk["data"]


@pytest.mark.slow
def test_finished_trials_are_no_work(capsys, make_trained, planned, monkeypatch, measured):
    plan = make_trained(3, 2).plan
    found = [replace(cell, plan=plan, dataset=planned[1]) for cell in plan_campaign(HpoRequest(), ["5K"], [1])]
    monkeypatch.setattr(dry_run, "plan_campaign", lambda *asked: found)
    monkeypatch.setattr(dry_run, "DATA_DIRECTORY", str(planned[2]))
    said = []
    for trials, words in ((3, "1 of 3"), (2, "complete")):
        (each,) = dry_run.estimate_campaign(HpoRequest(trials=trials, max_epochs=1), ["5K"], [1])
        assert (each.trials, each.finished) == (max(trials - 2, 0), 2)
        assert (each.disk.n_kept, each.disk.n_running) == (trials, min(max(trials - 2, 0), each.workers))
        said.append("\n".join(dry_run.notes([each])))
        console = Console(file=io.StringIO(), width=200)
        console.print(dry_run.estimates_table([each]))
        assert words in console.file.getvalue()
    assert "1 of 1 studies are complete and not run again" in said[1] and "complete" not in said[0]
    assert "together at most 0 s for 0 studies" in said[1]


@pytest.mark.slow
def test_what_does_not_fit_is_said_in_words_and_not_measured(capsys, home, measured, monkeypatch):
    monkeypatch.setattr(module, "available_memory", lambda device: 2**16)
    code, out, _ = run(capsys, *COMMAND)
    assert code == 0
    assert measured == []
    assert "does not fit: 0.0 GiB needed, 0.0 GiB free" in out
    assert "architectures have not enough memory" in out
    assert "unknown" in out


def test_a_bad_input_is_one_line(capsys, home):
    code, _, err = run(capsys, *COMMAND, "--budgets", "5K,20Q")
    assert (code, err.count("\n")) == (2, 1)
    assert "budget must be a number with K, M or B" in err
    code, _, err = run(capsys, "campaign", "--json")
    assert (code, err.count("\n")) == (2, 1)
    assert "add --dry-run" in err
