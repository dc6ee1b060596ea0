import os
import sqlite3
import sys
from pathlib import Path

import pandas as pd
import pytest
from mlflow.utils.file_utils import local_file_uri_to_path

from model.baselines import BASELINES
from pipeline.exceptions import InputError
from search.report import make_report, write_report
from search.report.command import Report
from search.tracking.locks import is_locked
from tests.forking_commands import run

QUICK = {name: BASELINES[name] for name in ("base_rate", "volatility_logistic", "logistic")}


def files(directory):
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def logged(study):
    """What the run keeps, read where it lies: MLflow's download hides why it fails."""
    return files(Path(local_file_uri_to_path(study.client.get_run(study.run_id).info.artifact_uri)) / "report")


@pytest.fixture
def study(make_trained, monkeypatch):
    """Two real trials of three."""
    monkeypatch.setattr("search.trial.baselines.BASELINES", QUICK)
    return make_trained(3, 2)


@pytest.mark.slow
@pytest.mark.lesson("L9")
def test_the_page_is_written_and_logged_and_the_same_again(study, project, command, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    code, out, error = command("report", study.plan.study, "--resamples", "200", "--open")
    assert code == 0, error
    assert "has no baselines yet: logging them" in out
    page = Path(out.splitlines()[-1])
    assert opened == [page.as_uri()]
    first = logged(study)
    assert files(page.parent) == first
    assert "The study is not complete: 2 of 3 trials." in page.read_text()
    for name in ("differences", "auc", "calibration", "thresholds", "learning", "size"):
        assert f"figures/{name}.png" in first and f"data/{name}.csv" in first
    assert len(pd.read_csv(page.parent / "data" / "forecasts.csv")) == 5
    study.client.log_text(study.run_id, "old", "report/figures/stale.png")
    again = run(
        [sys.executable, "-m", "search", "report", study.plan.study, "--resamples", "200"],
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert again.returncode == 0, again.stderr
    assert "no baselines" not in again.stdout
    assert logged(study) == first


@pytest.mark.slow
def test_every_figure_and_table_is_a_csv(make_inputs):
    report = make_report([make_inputs(n_trials=6)], n_resamples=100)
    assert set(report.pictures) <= set(report.tables)
    assert all(len(table) for table in report.tables.values())
    assert len(report.tables["forecasts"]) == 8


def test_too_few_resamples_are_refused(stores):
    with pytest.raises(InputError, match="resamples must be at least 100, got 99"):
        write_report(stores, ["any"], n_resamples=99)


@pytest.mark.lesson("L40")
def test_baselines_are_not_read_while_another_command_logs_them(study, stores, monkeypatch):
    def read(study):
        assert is_locked(stores, f"{study.plan.study}.baselines")
        raise InputError("enough")

    monkeypatch.setattr("search.report.command.read_study_inputs", read)
    with pytest.raises(InputError, match="enough"):
        write_report(stores, [study.plan.study], n_resamples=100)


@pytest.mark.parametrize("name", [".", "..", "../other", ""])
def test_a_report_replaces_nothing_but_a_report(tmp_path, name):
    (tmp_path / "reports" / "other").mkdir(parents=True)
    for file in ("mlflow.db", "reports/other/report.html"):
        (tmp_path / file).write_text("kept")
    before = files(tmp_path)
    with pytest.raises(InputError, match="a directory of its own in reports"):
        Report(html="", pictures={}, tables={}).write(Path(os.path.normpath(tmp_path / "reports" / name)))
    assert files(tmp_path) == before


def test_a_report_goes_through_no_link(tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "record").mkdir()
    (tmp_path / "reports" / "study").symlink_to(tmp_path / "record")
    with pytest.raises(InputError, match="got the file or link"):
        Report(html="", pictures={}, tables={}).write(tmp_path / "reports" / "study")


def rename(home, old, new):
    """Give a study a name that older code let through, in both stores."""
    statements = {
        "optuna.db": (
            "UPDATE studies SET study_name = ?2 WHERE study_name = ?1",
            "UPDATE study_user_attributes SET value_json = replace(value_json, ?1, ?2)",
        ),
        "mlflow.db": tuple(f"UPDATE {kind} SET value = ?2 WHERE value = ?1" for kind in ("params", "tags")),
    }
    for name, several in statements.items():
        with sqlite3.connect(home / "mlruns" / name) as connection:
            for statement in several:
                connection.execute(statement, (old, new))
        connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", [".", ".."])
def test_a_study_of_older_code_named_like_a_directory_is_read_and_loses_nothing(make_trained, home, command, name):
    rename(home, make_trained(1, 1).plan.study, name)
    (home / "mlruns" / "reports" / "other").mkdir(parents=True)
    (home / "mlruns" / "reports" / "other" / "report.html").write_text("kept")
    kept = set(files(home))
    code, out, error = command("audit", name)
    assert (code, error) == (1, ""), "it lacks trials, and is read"
    assert name in out
    code, _, error = command("report", name, "--resamples", "200")
    assert code == 2
    assert f"neither . nor .., got '{name}'; choose another name" in error
    code, _, error = command("hpo", "--study", name)
    assert code == 2
    assert "not dots alone" in error
    assert kept <= set(files(home))


def test_more_resamples_than_memory_holds_are_refused_with_the_reason(stores):
    with pytest.raises(InputError, match=r"at most 100,000, which tell .* memory each, got 99999999999999"):
        write_report(stores, ["any"], n_resamples=99_999_999_999_999)
