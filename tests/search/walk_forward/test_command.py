import json
import os
import signal
import time
from dataclasses import replace

import pytest

from model.baselines import BASELINES
from pipeline.exceptions import StoreLostError
from search.tracking.locks import study_lock
from search.tracking.tags import WALK_FORWARD_ROLE
from search.walk_forward.runs import read_days

QUICK = {name: BASELINES[name] for name in ("base_rate", "logistic")}


@pytest.fixture
def trial(study, run_trials):
    run_trials(study, 1)
    return study.finished()[0].user_attrs["run_id"]


@pytest.fixture
def spec_file(study, spec, tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec.params()))
    return str(path)


@pytest.mark.slow
@pytest.mark.lesson("L22")
@pytest.mark.lesson("L32")
@pytest.mark.usefixtures("forked_workers")
def test_a_trial_is_walked_forward_beside_the_baselines_and_again_only_printed(study, trial, command, monkeypatch):
    monkeypatch.setattr("search.walk_forward.subject.BASELINES", QUICK)
    years = ["--first-year", "2014", "--workers", "1"]
    code, alone, _ = command("walkforward", trial, "--seeds", "1", *years)
    assert code == 0
    assert f"patchscale walkforward baselines --study {study.plan.study} --first-year 2014 --last-year 2016" in alone
    assert "2015, 2016: validation days on which this study chose its specs" in alone
    assert command("walkforward", "baselines", "--study", study.plan.study, *years)[0] == 0
    monkeypatch.setattr("search.folds.forecast.refit", lambda *a, **k: pytest.fail("trained again"))
    code, again, _ = command("walkforward", trial, "--seeds", "1", *years)
    assert code == 0 and "there already, run" in again
    for words in (
        "walk-forward, all years, 2014-2016",
        "without the starred years, 2014, 25",
        "less baseline logistic",
        "2016*",
        "baseline base_rate",
        "sealed test split 2017-01-01 to 2018-12-31: never opened, and not read here",
    ):
        assert words in again
    runs = study.runs(WALK_FORWARD_ROLE)
    assert len(runs) == 3 and {run.info.status for run in runs} == {"FINISHED"}


BAD_INPUT = {
    "nothing": "study must be one that patchscale made, got 'nothing'; there are ",
    "gone/spec.json": "a spec must be the JSON file that runs keep as spec.json, got gone/spec.json: there is none",
    "ffffffff": "a trial must be a run id, its first digits, or a study's name, got 'ffffffff'",
    "{} --trial 9": "trial must be one of study",
    "baselines": "got no study; add --study NAME",
    "baselines --study nowhere": "study must be one that patchscale made, got 'nowhere'",
    "baselines --study {} --last-year 2017": "must end before the sealed test split of 2017-01-01, got 2017",
    "baselines --study {} --first-year 2001": "walk-forward years must run from",
    "baselines --study {} --first-year soon": "first_year must be a whole number",
    "baselines --study {} --seeds 0": "seeds must be a whole number, at least 1, got '0'",
    "baselines --study {} --workers 0": "workers must be auto or a whole number",
    "baselines --study {} --device mps": "device mps needs an Apple GPU that torch can use, got none",
    "baselines --study {} --device tpu": "device must be auto, cpu, cuda or mps",
}


@pytest.mark.lesson("L34")
def test_bad_input_is_one_line_exit_2_and_leaves_no_run(study, command):
    for arguments, words in BAD_INPUT.items():
        code, out, err = command("walkforward", *arguments.format(study.plan.study).split())
        assert (code, out) == (2, "") and err.count("\n") == 1 and words in err
    assert study.runs(WALK_FORWARD_ROLE) == []


def test_a_spec_of_another_dataset_is_refused(study, spec, tmp_path, command):
    path = tmp_path / "other.json"
    path.write_text(json.dumps(replace(spec, data=replace(spec.data, dataset="f" * 32)).params()))
    code, _, err = command("walkforward", str(path), "--study", study.plan.study)
    assert code == 2 and "with dataset ffff" in err and study.runs(WALK_FORWARD_ROLE) == []


@pytest.mark.lesson("L40")
def test_a_second_walk_forward_is_refused_before_any_data_are_read(study, trial, stores, command, monkeypatch):
    read, name = "search.walk_forward.command.load_walk_forward_data", study.plan.study
    monkeypatch.setattr(read, lambda *given, **named: pytest.fail("read the data"))
    with study_lock(stores, f"{name}.walkforward"):
        for what in (["baselines", "--study", name], [trial], [name]):
            code, out, err = command("walkforward", *what)
            assert (code, out, err.count("\n")) == (2, "", 1) and f"in use by process {os.getpid()}" in err
        monkeypatch.setattr("search.walk_forward.command.read_subjects", lambda *given: pytest.fail("opened the study"))
        assert command("walkforward", name)[0] == command("walkforward", "baselines", "--study", name)[0] == 2


@pytest.mark.lesson("L29")
def test_a_store_that_was_waited_for_in_vain_ends_the_command_by_one_line(study, command, monkeypatch):
    monkeypatch.setattr("search.walk_forward.subject.BASELINES", QUICK)
    asked = []

    def lost(*given):
        asked.append(1)
        raise StoreLostError("a store must answer within 600 s, the scheduling store has not")

    monkeypatch.setattr("search.walk_forward.command.walk_forward", lost)
    code, _, err = command("walkforward", "baselines", "--study", study.plan.study, "--first-year", "2016")
    assert (code, err.count("\n"), asked) == (2, 1, [1]) and "a store must answer within 600 s" in err


@pytest.mark.lesson("L34")
def test_a_baseline_that_fails_does_not_stop_the_others_and_the_exit_code_says_so(study, command, monkeypatch):
    monkeypatch.setattr("search.walk_forward.subject.BASELINES", QUICK)

    def fail(self, *arguments):
        raise ValueError("no luck")

    monkeypatch.setattr("model.baselines.features.Logistic.fit", fail)
    code, out, _ = command("walkforward", "baselines", "--study", study.plan.study, "--first-year", "2016")
    assert code == 1 and "baseline logistic failed: ValueError: no luck" in out
    assert "baseline base_rate: walked forward 2016 to 2016" in out


@pytest.mark.slow
@pytest.mark.lesson("L29")
@pytest.mark.parametrize(("number", "workers"), [(signal.SIGKILL, "2"), (signal.SIGINT, "1")])
def test_a_stopped_command_is_gone_on_with_and_leaves_nothing_running(
    study, spec_file, launch, command, number, workers, tmp_path
):
    arguments = ["walkforward", spec_file, "--study", study.plan.study, "--first-year", "2015", "--workers"]
    process = launch(*arguments, workers)
    deadline = time.monotonic() + 1500
    while not (kept := list((tmp_path / "mlruns").rglob("folds/*.json"))):
        assert process.poll() is None and time.monotonic() < deadline, process.stdout.read()
        time.sleep(0.02)
    os.kill(process.pid, number)
    code = process.wait(timeout=1500)
    (run,) = study.runs(WALK_FORWARD_ROLE)
    if number == signal.SIGKILL:
        assert run.info.status == "RUNNING"
    else:
        assert (code, run.info.status) == (130, "KILLED")
    code, out, _ = command(*arguments, "1")
    assert code == 0 and f"run {run.info.run_id}" in out
    assert "parts are kept from an earlier command" in out and kept
    (again,) = study.runs(WALK_FORWARD_ROLE)
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
    resumed = read_days(study, again)
    study.client.delete_run(again.info.run_id)
    assert command(*arguments, "1")[0] == 0
    (uninterrupted,) = study.runs(WALK_FORWARD_ROLE)
    assert read_days(study, uninterrupted).equals(resumed)
