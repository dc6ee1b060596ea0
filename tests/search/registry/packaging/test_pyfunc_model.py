"""The served model, by a real server and a real HTTP client."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from model.serving.package_info import package_facts
from model.serving.packaged import PackagedModel, write_package
from model.training.trainer import predict_rows
from pipeline.datasets.raw_bars import raw_bars
from search.registry.packaging.mlflow_model import clean_environment, log_package, save_form
from search.registry.packaging.pyfunc_model import BrokenRule
from tests.served import JSON, body, post, serve

NAME = "patchscale-^GSPC-h2-t0.02"
SAME = 1e-6


@pytest.fixture(scope="module")
def case(market, members, tmp_path_factory):
    """A package of two members, its directory, bars as a client sends them, and the members' own probabilities."""
    directory = tmp_path_factory.mktemp("package")
    root, dataset = market("r33")
    specs, models, windows = members("r33", (0, 1))
    facts = package_facts(specs, dataset, windows.rows.train, n_epochs=(1, 1))
    write_package(directory, members=list(zip(specs, models, strict=True)), facts=facts)
    rows = np.arange(59, len(dataset.dates))
    offline = pd.Series(
        np.mean([predict_rows(model, windows, rows) for model in models], axis=0),
        index=dataset.dates[rows].strftime("%Y-%m-%d"),
    )
    frame = raw_bars(root, dataset)
    return PackagedModel.load(directory), directory, frame.assign(date=frame["date"].dt.strftime("%Y-%m-%d")), offline


@pytest.fixture(scope="module")
def server(case, tmp_path_factory, template):
    """``mlflow models serve`` of a registered model by its alias: its address."""
    home = tmp_path_factory.mktemp("served")
    (home / "mlflow.db").write_bytes((template / "mlflow.db").read_bytes())
    uri = f"sqlite:///{home}/mlflow.db"
    client = MlflowClient(tracking_uri=uri)
    run = client.create_run(client.create_experiment("e", artifact_location=str(home / "artifacts")))
    logged = client.get_logged_model(log_package(client, run.info.run_id, case[1]).removeprefix("models:/"))
    client.create_registered_model(NAME)
    version = client.create_model_version(NAME, logged.artifact_location, run.info.run_id, model_id=logged.model_id)
    client.set_registered_model_alias(NAME, "champion", version.version)
    with serve(f"models:/{NAME}@champion", uri, home) as address:
        yield address


@pytest.fixture
def ask(server):
    """Post to the server: status and answer."""
    return partial(post, server)


def _at(frame: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    changed = frame.astype(object)
    changed.iat[row, frame.columns.get_loc(column)] = value
    return changed


BROKEN = {
    "too little history": (lambda f: f.tail(500), "at least 1560 sessions .* got 500; send a longer history"),
    "missing column": (lambda f: f.drop(columns="close"), "must have the columns date, open.* missing close; add"),
    "missing VIX": (lambda f: f.drop(columns="vix_close"), "missing vix_close; add them"),
    "unsorted": (lambda f: f.iloc[::-1], "dates must be ascending, got .*; sort the rows"),
    "duplicate dates": (lambda f: pd.concat([f, f.tail(1)]), "a date must be there once, got 2018-12-31"),
    "negative price": (lambda f: _at(f, 700, "close", -1.0), "close must be positive, got -1 at 20"),
    "text in a number": (lambda f: _at(f, 700, "close", "ten"), "close must be a number, got 'ten' at 20"),
    "unreadable date": (lambda f: _at(f, 700, "date", "yesterday"), "date must be a day .* got 'yesterday' in row 700"),
    "a date of numbers": (lambda f: f.assign(date=1719964800000), "text as 2024-12-31 or datetimes, got 17199648"),
    "a date far ahead": (lambda f: _at(f, 700, "date", "9999-01-01"), "to today, got 9999-01-01 in row 700"),
    "no date": (lambda f: _at(f, 700, "date", None), "got none in row 700"),
    "text in the volume": (lambda f: _at(f, 700, "volume", "many"), "volume must be a number, got 'many' at 20"),
    "nothing in the volume": (lambda f: _at(f, 700, "volume", None), "volume must be finite, got nan at 20"),
    "nothing in a number": (lambda f: _at(f, 700, "open", None), "open must be finite, got nan at 20"),
    "empty frame": (lambda f: f.iloc[:0], "at least one session, got no rows"),
    "a session left out": (lambda f: f.drop(index=f.index[700]), "every session .* must have a bar, got 20"),
    "two tickers end to end": (
        lambda f: f.assign(ticker=["^GSPC"] * 800 + ["SPY"] * (len(f) - 800)),
        r"bars must be of \^GSPC alone, got SPY, \^GSPC in the column of tickers; send the model's own",
    ),
    "another ticker": (lambda f: f.assign(Symbol="QQQ"), r"must be of \^GSPC alone, got QQQ"),
    "a name twice": (lambda f: f.assign(Close=f["close"]), "a column must be there once, got close more than once"),
    "high below low": (lambda f: _at(f, 700, "high", 1.0), "high must bound the bar"),
}


@pytest.mark.slow
def test_the_last_day_is_answered_as_offline(case, ask):
    packaged, _, frame, offline = case
    for sent in (frame, frame.tail(packaged.required_days), frame.head(3000)):
        status, predictions = ask(body(sent))
        assert status == 200 and len(predictions) == 1
        found = predictions[0]
        assert found["date"] == sent["date"].iloc[-1] and (found["horizon"], found["threshold"]) == (2, 0.02)
        assert abs(found["probability"] - offline[found["date"]]) < SAME


@pytest.mark.slow
@pytest.mark.parametrize("form", ["%Y-%m-%dT00:00:00Z", "%Y-%m-%dT16:00:00-04:00", "mixed"])
def test_dates_with_an_offset_are_the_exchanges_own(case, ask, form):
    packaged, _, frame, offline = case
    sent = frame.tail(packaged.required_days)
    days = pd.to_datetime(sent["date"])
    text = days.dt.tz_localize("America/New_York").map(str) if form == "mixed" else days.dt.strftime(form)
    status, (found,) = ask(body(sent.assign(date=text)))
    assert (status, found["date"]) == (200, frame["date"].iloc[-1])
    assert abs(found["probability"] - offline.iloc[-1]) < SAME


@pytest.mark.slow
def test_the_adjusted_close_may_be_left_out_and_counts_where_it_is_sent(case, ask):
    packaged, _, frame, offline = case
    sent = frame.tail(packaged.required_days).drop(columns="adj_close")
    status, (found,) = ask(body(sent))
    assert status == 200 and abs(found["probability"] - packaged.predict(sent)["probability"][0]) < SAME
    assert abs(found["probability"] - offline.iloc[-1]) > SAME


@pytest.mark.slow
def test_every_day_is_answered_as_offline(case, ask):
    packaged, _, frame, offline = case
    status, predictions = ask(body(frame, days="all"))
    found = pd.DataFrame(predictions).set_index("date")["probability"]
    assert status == 200 and len(found) == len(frame) - packaged.required_days + 1
    assert found.std() > 0.01
    np.testing.assert_allclose(found, offline.loc[found.index], rtol=0, atol=SAME)


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_answered_in_words_and_the_server_lives_on(case, ask, name):
    packaged, _, frame, offline = case
    break_it, rule = BROKEN[name]
    good = frame.tail(packaged.required_days)
    status, message = ask(body(break_it(good)))
    assert status == 400 and len(message) < 2500
    with pytest.raises(ValueError, match=rule):
        raise ValueError(message)
    status, predictions = ask(body(good))
    assert status == 200 and abs(predictions[0]["probability"] - offline.iloc[-1]) < SAME


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "content_type", "expected", "rule"),
    [
        (b"<bars/>", "text/xml", 415, "only supports the following content types"),
        (b"{", JSON, 400, "valid JSON"),
        (b"[]", JSON, 400, "Received a list"),
        (b'{"bars": []}', JSON, 400, "must be a JSON dictionary with exactly one of the input fields|input fields"),
        (b"\xff\xfe", JSON, 400, "valid JSON"),
        (b"", JSON, 400, "valid JSON"),
    ],
)
def test_what_is_no_frame_is_answered_in_words(case, ask, data, content_type, expected, rule):
    status, message = ask(data, content_type)
    assert status == expected
    with pytest.raises(ValueError, match=rule):
        raise ValueError(message)
    assert ask(body(case[2].tail(1560)))[0] == 200


@pytest.mark.slow
def test_a_wrong_parameter_is_answered_in_words(case, ask):
    assert ask(body(case[2].tail(1560), days="next")) == (400, "days must be one of last, all, got 'next'")


@pytest.mark.slow
def test_records_are_as_good_as_columns(case, ask):
    packaged, _, frame, offline = case
    records = frame.tail(packaged.required_days).to_dict("records")
    status, predictions = ask(json.dumps({"dataframe_records": records}).encode())
    assert status == 200 and abs(predictions[0]["probability"] - offline.iloc[-1]) < SAME


CSV = "text/csv"
YAHOO = {"date": "Date", "adj_close": "Adj Close"}


@pytest.mark.slow
@pytest.mark.parametrize("rename", [str, str.upper, lambda name: YAHOO.get(name, name.title())])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_csv_and_yahoos_own_names_are_answered_as_offline(case, ask, rename, form):
    packaged, _, frame, offline = case
    sent = frame.tail(packaged.required_days).rename(columns=rename).assign(Symbol="^gspc", note="none of ours")
    data = sent.to_csv(index=False).encode() if form == "csv" else body(sent)
    status, (found,) = ask(data, CSV if form == "csv" else JSON)
    assert status == 200 and abs(found["probability"] - offline.iloc[-1]) < SAME


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "content_type", "rule"),
    [
        (b"date,open\n2024-01-02,ten\n", CSV, "missing high, low, close, volume, vix_close; add them"),
        (b"a,b\n1,2\n", CSV, "missing date, open"),
        (b'{"inputs": {"close": [1.0, 2.0]}}', JSON, "missing date, open"),
        (b'{"instances": [1, 2]}', JSON, "bars must|missing date"),
        (b'{"dataframe_records": [{"close": {"a": 1}}]}', JSON, "missing date, open"),
    ],
)
def test_a_mistake_is_one_line_without_a_trace_or_a_dump(case, server, data, content_type, rule):
    request = urllib.request.Request(server, data=data, headers={"Content-Type": content_type})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=1500)
    answer = json.loads(caught.value.read())
    assert caught.value.code == 400 and "Traceback" not in json.dumps(answer)
    assert re.search(rule, answer["message"]) and "\n" not in answer["message"] and len(answer["message"]) < 400


@pytest.mark.slow
def test_mlflow_models_predict_answers_as_offline(case, tmp_path):
    packaged, directory, frame, offline = case
    save_form(tmp_path / "model", directory, packaged)
    (tmp_path / "bars.json").write_bytes(body(frame.tail(packaged.required_days)))
    environment = clean_environment("sqlite:///nowhere.db")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    command = "mlflow models predict -m model -i bars.json -o answer.json --env-manager local"
    subprocess.run(command.split(), cwd=tmp_path, env=environment, check=True, capture_output=True)
    (found,) = json.loads((tmp_path / "answer.json").read_text())["predictions"]
    assert found["date"] == "2018-12-31" and abs(found["probability"] - offline.iloc[-1]) < SAME


def test_whole_volumes_and_dates_of_any_kind_pass_from_python(case, tmp_path):
    packaged, directory, frame, offline = case
    save_form(tmp_path / "model", directory, packaged)
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    sent = frame.tail(packaged.required_days)
    sent = sent.assign(volume=sent["volume"].astype("int64"))
    for date in (sent["date"], pd.to_datetime(sent["date"]), pd.to_datetime(sent["date"]).dt.tz_localize("UTC")):
        assert abs(loaded.predict(sent.assign(date=date))["probability"][0] - offline.iloc[-1]) < SAME


def test_a_callers_mistake_keeps_its_words_where_mlflow_adds_the_data(case, tmp_path):
    packaged, directory, frame, _ = case
    save_form(tmp_path / "model", directory, packaged)
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    with pytest.raises(MlflowException) as caught:
        loaded.predict(frame.tail(10).assign(date=lambda f: pd.to_datetime(f["date"])))
    error = caught.value
    rule = error.message
    error.message = f"Failed to predict data 'much text'. \nError: {rule}"
    assert error.message == rule and rule.startswith("a forecast needs at least 1560 sessions")
    assert error.get_http_status_code() == 400 and json.loads(error.serialize_as_json())["message"] == rule


def test_a_broken_rule_is_a_bad_request():
    assert BrokenRule("x must be y").get_http_status_code() == 400
    assert str(BrokenRule("x must be y")) == BrokenRule("x must be y").message == "x must be y"
