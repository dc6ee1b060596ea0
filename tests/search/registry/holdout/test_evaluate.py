import re
import shutil

import numpy as np
import pandas as pd
import pytest

from pipeline.exceptions import InputError
from search.registry.holdout import evaluate
from search.registry.holdout.evaluate import evaluate_version
from search.registry.holdout.sealed_days import sealed_windows
from search.registry.versions.versions import find_version
from search.results.holdout import count_openings, count_version_openings, holdout_openings
from search.tracking.artifacts import fetch_artifact

MODEL = "patchscale-^GSPC-h1"


def evaluations(study):
    query = "tags.`run.role` = 'test'"
    return study.client.search_runs([study.experiment_id], query)


@pytest.mark.lesson("L22")
def test_an_evaluation_is_recorded_before_it_reads_and_counted_after(shop, study, command, planned, monkeypatch):
    answers, ask = [], evaluate.ask_version
    monkeypatch.setattr(
        evaluate, "ask_version", lambda *given, **named: answers.append(ask(*given, **named)) or answers[0]
    )
    code, out, _ = command("evaluate", f"{MODEL}/1")
    assert code == 0
    forecast = answers[0].p.index
    assert (str(forecast[0].date()), forecast[-1].year) == ("2017-01-03", 2018), (
        "a large model takes minutes for all days"
    )
    assert re.search(r"on the test split: 50[0-9] days 2017-01-03 to 2018-12-2\d, base rate 0.1", out)
    for model in ("version", "base_rate", "volatility_logistic", "har_logistic", "logistic", "boosting"):
        assert re.search(rf"{model} +log loss 0\.\d+ \[0\.\d+, 0\.\d+\], AUC 0\.\d+ \[.*\], Brier 0\.", out), model
    assert re.search(r"less \w+, the best baseline on these days: difference in loss \+0\..* days can show 0\.", out)
    assert f"openings of the test split: 1 by {MODEL}/1, 1 in study tiny" in out
    (run,) = evaluations(study)
    assert run.data.tags["model.version"] == f"{MODEL}/1" and run.data.tags["mlflow.parentRunId"] == study.run_id
    (opening,) = holdout_openings(study)
    assert opening.model_version == f"{MODEL}/1" and len(opening.commit) == 40
    table = pd.read_parquet(fetch_artifact(study.client, run, "predictions/test.parquet", None))
    labels = pd.Series(study.plan.target.labels(planned[1].frame), index=planned[1].dates)
    assert (table["y"].to_numpy() == labels.loc[table["date"]].to_numpy()).all()
    assert run.data.metrics["test/loss"] == pytest.approx(
        -np.log(np.where(table["y"] == 1, table["p"], 1 - table["p"])).mean()
    )


@pytest.mark.lesson("L22")
def test_asked_again_it_shows_the_earlier_result_and_opens_only_if_told(shop, study, command):
    first = command("evaluate", f"{MODEL}/1")[1].splitlines()
    code, out, _ = command("evaluate", f"{MODEL}/1")
    assert code == 0 and out.splitlines()[:8] == first[:8]
    assert "nothing was opened, this does not count as new" in out
    assert f"openings of the test split: 1 by {MODEL}/1, 1 in study tiny" in out
    assert len(evaluations(study)) == 1
    out = command("evaluate", f"{MODEL}/1", "--again")[1]
    assert f"openings of the test split: 2 by {MODEL}/1, 2 in study tiny" in out
    assert count_openings(study) == count_version_openings(study.client, f"{MODEL}/1") == len(evaluations(study)) == 2
    assert "opened 2 times" in study.client.get_run(study.run_id).data.tags["mlflow.note.content"]


@pytest.mark.lesson("L22")
def test_nothing_but_evaluate_opens(shop, study, command):
    for arguments in (("promote", f"{MODEL}/1"), ("compare", f"{MODEL}/1", f"{MODEL}/2"), ("predict", f"{MODEL}/1")):
        command(*arguments)
    assert count_openings(study) == 0 and not evaluations(study)
    assert np.isnan(sealed_windows(study).y_host_D[sealed_windows(study).rows.test]).all()


@pytest.mark.lesson("L17")
def test_what_is_evaluated_and_predicted_is_what_the_carried_code_says(shop, study, command, tmp_path):
    first = find_version(study.client, f"{MODEL}/1")
    shutil.copytree(first.source.removeprefix("file://"), tmp_path / "altered")
    source = tmp_path / "altered" / "code" / "model" / "serving" / "packaged.py"
    said = '"probability": self.probabilities(x_DF, asked)'
    assert said in source.read_text()
    source.write_text(source.read_text().replace(said, f"{said} * 1e-3 + 0.125"))
    study.client.create_model_version(MODEL, str(tmp_path / "altered"), first.run_id, tags=first.tags)
    code, out, err = command("predict", f"{MODEL}/3", "--offline")
    assert code == 0 and "2018-12-31: probability 0.125" in out, err
    assert command("evaluate", f"{MODEL}/3")[0] == 0
    (run,) = evaluations(study)
    table = pd.read_parquet(fetch_artifact(study.client, run, "predictions/test.parquet", None))
    assert table["p"].between(0.125, 0.126).all()


@pytest.mark.lesson("L22")
def test_a_version_that_does_not_load_opens_nothing(shop, study, command, tmp_path):
    first = find_version(study.client, f"{MODEL}/1")
    study.client.create_model_version(MODEL, str(tmp_path / "gone"), first.run_id, tags=first.tags)
    code, _, err = command("evaluate", f"{MODEL}/3")
    assert (code, err.count("\n")) == (1, 1) and "must load as MLflow serves it" in err
    assert count_openings(study) == 0 and not evaluations(study)


def test_an_evaluation_that_was_killed_does_not_stay_running(shop, study, command, monkeypatch):
    tags = {"run.role": "test", "study.name": "tiny", "mlflow.parentRunId": study.run_id}
    run = study.client.create_run(study.experiment_id, tags=tags)
    monkeypatch.setattr("search.registry.holdout.evaluate._evaluate", lambda *arguments: "done")
    assert command("evaluate", f"{MODEL}/1")[0] == 0
    held = study.client.get_run(run.info.run_id)
    assert (held.info.status, held.data.tags["status.reason"]) == ("KILLED", "killed")


@pytest.mark.lesson("L22")
def test_without_test_days_nothing_is_opened(shop, study, command, monkeypatch):
    monkeypatch.setattr("search.registry.holdout.sealed_days.MIN_EVALUATION_DAYS", 600)
    code, out, err = command("evaluate", f"{MODEL}/1")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert (
        "a test needs at least 600 days, the data of study tiny end on 2018-12-31" in err
        and "nothing was opened" in err
    )
    assert count_openings(study) == 0 and not evaluations(study)


@pytest.mark.lesson("L22")
def test_an_evaluation_that_fails_has_opened_and_says_so(shop, study, console, monkeypatch):
    def fail(*arguments, **named):
        raise InputError("broken")

    monkeypatch.setattr("search.registry.holdout.evaluate.score_test_days", fail)
    with pytest.raises(InputError):
        evaluate_version(shop, f"{MODEL}/1", again=False, console=console)
    (run,) = evaluations(study)
    assert (run.info.status, count_openings(study)) == ("FAILED", 1)


@pytest.mark.parametrize("text", [f"{MODEL}/9", f"{MODEL}@champion", "tiny", "x/1"])
def test_mistakes_are_one_line_exit_2_and_open_nothing(shop, study, command, text):
    code, out, err = command("evaluate", text)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert count_openings(study) == 0
