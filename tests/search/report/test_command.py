from pathlib import Path

import pandas as pd
import pytest

from model.baselines import BASELINES
from pipeline.exceptions import InputError
from search.report import make_report, write_report

QUICK = {name: BASELINES[name] for name in ("base_rate", "volatility_logistic", "logistic")}


def logged(study, directory):
    path = Path(study.client.download_artifacts(study.run_id, "report", str(directory)))
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.mark.slow
@pytest.mark.lesson("L9")
def test_the_page_is_written_and_logged_and_the_same_again(
    make_study, run_trials, stores, command, monkeypatch, tmp_path
):
    monkeypatch.setattr("search.baselines.BASELINES", QUICK)
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    study = run_trials(make_study(3), 2)
    code, out, error = command("report", study.plan.study, "--resamples", "200", "--open")
    assert code == 0, error
    assert "has no baselines yet: logging them" in out
    page = Path(out.splitlines()[-1])
    assert opened == [page.as_uri()]
    local = {str(file.relative_to(page.parent)): file.read_bytes() for file in page.parent.rglob("*") if file.is_file()}
    first = logged(study, tmp_path)
    assert local == first
    html = page.read_text()
    assert "The study is not complete: 2 of 3 trials." in html
    for name in ("differences", "auc", "calibration", "thresholds", "learning", "size"):
        assert f"figures/{name}.png" in first and f"data/{name}.csv" in first
    assert len(pd.read_csv(page.parent / "data" / "forecasts.csv")) == 5
    study.client.log_text(study.run_id, "old", "report/figures/stale.png")
    code, out, _ = command("report", study.plan.study, "--resamples", "200")
    assert code == 0 and "no baselines" not in out
    assert logged(study, tmp_path / "again") == first


def test_every_figure_and_table_is_a_csv_and_the_same_material_the_same_page(make_material):
    report = make_report([make_material(n_trials=25)], n_resamples=100)
    again = make_report([make_material(n_trials=25)], n_resamples=100)
    assert report.html == again.html
    assert set(report.pictures) <= set(report.tables)
    assert all(len(table) for table in report.tables.values())
    assert len(report.tables["forecasts"]) == 27


def test_too_few_resamples_are_refused(stores):
    with pytest.raises(InputError, match="resamples must be at least 100, got 99"):
        write_report(stores, ["any"], n_resamples=99)
