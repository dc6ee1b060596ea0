import io
import json
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from pipeline.exceptions import InputError
from search.registry.live.request_body import request_body
from tests.search.registry.conftest import MODEL


@pytest.mark.lesson("L17")
def test_a_version_answers_its_own_request_in_either_form(shop, command, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shop.tracking_uri)
    code, out, error = command("predict", f"{MODEL}/2", "--offline", "--json")
    assert code == 0, error
    expected = json.loads(out)
    loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}/2")
    asked = ("data", "export", "--for-model", f"{MODEL}/2", "--offline")
    for form in ("json", "csv"):
        code, out, error = command(*asked, "--format", form, "--out", f"bars.{form}")
        assert code == 0, error
        text = Path(f"bars.{form}").read_text(encoding="utf-8")
        assert f" for {MODEL}/2" in out and text == command(*asked, "--format", form)[1].rstrip("\n") + "\n" * (
            form == "csv"
        )
        if form == "csv":
            frame = pd.read_csv(io.StringIO(text))
        else:
            split = json.loads(text)["dataframe_split"]
            frame = pd.DataFrame(split["data"], columns=split["columns"])
        (found,) = loaded.predict(frame).to_dict("records")
        assert (found["date"], found["horizon"]) == (expected["date"], expected["horizon"])
        assert found["probability"] == pytest.approx(expected["probability"], abs=1e-6)


def test_so_many_days_are_forecast_as_are_asked_for(shop):
    one, more = (request_body(shop, f"{MODEL}/1", offline=True, days=days).bars for days in (1, 6))
    assert len(more) == len(one) + 5 and one["date"].iloc[-1] == more["date"].iloc[-1]
    with pytest.raises(InputError, match=r"99999 forecasts need \d+ sessions, got \d+; ask for fewer --days"):
        request_body(shop, f"{MODEL}/1", offline=True, days=99_999)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--for-model", f"{MODEL}/1", "--ticker", "SPY"), "forecasts ^GSPC, got --ticker SPY; leave it out"),
        (("--for-model", f"{MODEL}/9"), "9"),
        (("--for-model", f"{MODEL}/1", "--format", "xml"), "format must be one of json, csv, got 'xml'"),
        (("--for-model", f"{MODEL}/1", "--days", "0"), "days must be a whole number, at least 1, got '0'"),
        ((), "--for-model"),
    ],
)
def test_a_mistake_is_one_line(shop, command, arguments, words):
    code, out, error = command("data", "export", *arguments, "--offline")
    assert (code, out, error.count("\n")) == (2, "", 1) and words in error
