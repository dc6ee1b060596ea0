import json

import pytest

from pipeline.exceptions import InputError
from search.legacy.parse.ray_results import folder_digest, is_ray_folder
from search.legacy.record.importer import parse_files
from search.legacy.recover.column_map import read_map


@pytest.fixture
def results(tmp_path):
    """An experiment of three trials: finished with a row an iteration, failed, not begun."""
    experiment = tmp_path / "tune_patchtst"
    for name in ("a", "b", "c"):
        (experiment / name).mkdir(parents=True)
        (experiment / name / "params.json").write_text(
            json.dumps({"d_model": 64, "n_heads": 8, "lr": 1e-4, "name": name})
        )
    rows = [{"val_loss": 0.5 - n / 10, "training_iteration": n, "trial_id": "a1", "done": n == 2} for n in (1, 2)]
    (experiment / "a" / "result.json").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    table = "val_loss,training_iteration,trial_id,done\n0.4,1,{0},False\n0.3,2,{0},True\n"
    (experiment / "a" / "progress.csv").write_text(table.format("a1"))
    (experiment / "b" / "progress.csv").write_text(table.format("b2").replace("True", "False"))
    (experiment / "b" / "error.txt").write_text("Traceback\nRuntimeError: MPS\n")
    return experiment


def test_a_folder_is_an_experiment_and_every_file_says_its_part(results):
    [(source, report)] = parse_files([results])
    finished, failed, waiting = report.trials
    assert (source.kind, {trial.study for trial in report.trials}) == ("ray", {"tune_patchtst"})
    assert (finished.outcome.value, finished.curves) == (0.3, {"val/loss": {1: 0.4, 2: 0.3}})
    assert (finished.architecture.n_heads, finished.training, finished.settings) == (
        8,
        {"learning_rate": 1e-4},
        {"name": "a"},
    )
    assert (failed.outcome.status, failed.outcome.reason) == ("FAILED", "RuntimeError: MPS")
    assert (waiting.outcome.status, waiting.architecture.d_model) == ("KILLED", 64)


def test_a_map_may_name_what_only_some_trials_have(results):
    (results / "a" / "params.json").write_text('{"heads": 8}')
    trials = parse_files([results], columns=read_map(["n_heads=config.heads"]))[0][1].trials
    assert [trial.architecture.n_heads for trial in trials] == [8, 8, 8]
    with pytest.raises(InputError, match=r"nearest: config\.heads"):
        parse_files([results], columns=read_map(["n_heads=config.head"]))


def test_its_files_one_by_one_are_the_same_trials(results):
    whole = {trial.fingerprint for trial in parse_files([results])[0][1].trials}
    files = [file for file in sorted(results.rglob("*.*")) if file.name != "error.txt" and file.parent.name != "c"]
    single = {trial.fingerprint for _, report in parse_files(files) for trial in report.trials}
    assert single < whole and len(single) == 2


def test_a_folder_is_named_by_what_is_read(results):
    before = folder_digest(results)
    (results / "a" / "events.out").write_text("x")
    assert folder_digest(results) == before
    (results / "a" / "result.json").write_text("{}\n")
    assert folder_digest(results) != before
    before = folder_digest(results)
    (results / "result.json").write_text("{}")
    assert folder_digest(results) == before, "a file beside the trials is none of them"
    assert (
        not is_ray_folder(results / "c")
        and is_ray_folder(results)
        and is_ray_folder(results / "a")
        and not is_ray_folder(results.parent.parent / "none")
    )
