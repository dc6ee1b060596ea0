from __future__ import annotations

import ast
import shutil
import subprocess
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from packaging.utils import canonicalize_name

import search.tracking.patience as patience
from pipeline.exceptions import RecordError, StoreLostError
from search.registry.packaging import fresh_process
from search.registry.packaging import mlflow_model as registry_package
from search.registry.packaging.fresh_process import ask_fresh_process, check_in_fresh_process
from search.registry.packaging.mlflow_model import REQUIREMENTS
from tests.servers.supervised import free_port


@pytest.fixture(scope="module", autouse=True)
def started():
    """The processes of these tests are started by an interpreter of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh_process, "subprocess", subprocess)
        yield


@pytest.fixture(scope="module")
def answered(logged):
    """What a fresh process says."""
    _, _, model_uri, _, frame, expected, uri = logged
    return fresh_process._run(model_uri, frame, (expected["date"].min(), expected["date"].max()), uri)


@pytest.fixture
def say(monkeypatch, answered):
    """Let the fresh process answer so, without starting it again."""
    return lambda **changed: monkeypatch.setattr(fresh_process, "_run", lambda *_: {**answered, **changed})


@pytest.mark.slow
@pytest.mark.lesson("L17")
def test_a_fresh_process_forecasts_the_same_from_the_code_that_the_model_carries(logged, answered, say):
    _, _, model_uri, _, frame, expected, uri = logged
    assert answered["strange"] == [] and len(answered["forecasts"]["date"]) == len(expected)
    say()
    assert check_in_fresh_process(model_uri, frame, expected, uri) < 1e-6
    with pytest.raises(RecordError, match=r"differs by 0\.00"):
        check_in_fresh_process(model_uri, frame, expected.assign(p=expected["p"] + 2e-3), uri)
    with pytest.raises(RecordError, match="differs by nan"):
        check_in_fresh_process(model_uri, frame, expected.assign(p=np.nan), uri)
    more = pd.concat([expected, pd.DataFrame({"date": [pd.Timestamp("1999-02-01")], "p": [0.5]})])
    with pytest.raises(RecordError, match="forecast all 41 days of its proof, 1 are missing, first 1999-02-01"):
        check_in_fresh_process(model_uri, frame, more, uri)
    with pytest.raises(RecordError, match="at least one day"):
        check_in_fresh_process(model_uri, frame, expected.iloc[:0], uri)
    say(strange=["/somewhere"])
    with pytest.raises(RecordError, match="code that it carries, it ran that of /somewhere"):
        check_in_fresh_process(model_uri, frame, expected, uri)


@pytest.mark.slow
def test_the_packaged_code_imports_what_is_required_and_nothing_else(answered):
    """What the modules that a fresh process loaded of it name in their imports, as far as it was imported."""
    providers, loaded = packages_distributions(), set(answered["modules"])
    tops = {module.split(".")[0] for module in loaded}
    imported = {"mlflow"}
    for package in registry_package.PACKAGES:
        for path in package.rglob("*.py"):
            name = ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
            if name in loaded:
                imported |= {d for top in _named_in(path) & tops for d in providers.get(top, [])}
    assert {canonicalize_name(each) for each in imported} - {"patchscale"} == {
        canonicalize_name(each) for each in REQUIREMENTS
    }
    assert "search" not in tops


def _named_in(path):
    """Packages that a file's imports name."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module.split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


@pytest.mark.slow
def test_a_model_that_does_not_load_is_reported_in_one_line(logged):
    *_, frame, expected, uri = logged
    with pytest.raises(RecordError, match="must load and forecast in a fresh process, it says: ") as caught:
        check_in_fresh_process("models:/m-00000000000000000000000000000000", frame, expected, uri)
    assert "\n" not in str(caught.value)


def alter(form: Path) -> None:
    """Let the code that a logged model carries answer 0.125 always."""
    source = form / "code" / "model" / "serving" / "packaged.py"
    before = source.read_text()
    after = before.replace(
        '"probability": self.probabilities(x_DF, asked)', '"probability": 0 * self.probabilities(x_DF, asked) + 0.125'
    )
    assert after != before
    source.write_text(after)


@pytest.mark.slow
@pytest.mark.lesson("L17")
def test_the_answer_comes_from_the_code_that_the_model_carries(logged, tmp_path):
    client, _, model_uri, _, frame, _, uri = logged
    source = client.get_logged_model(model_uri.removeprefix("models:/")).artifact_location
    shutil.copytree(source, tmp_path / "form")
    alter(tmp_path / "form")
    answer = ask_fresh_process(str(tmp_path / "form"), frame.tail(1700), uri)
    assert (answer.p == 0.125).all() and answer.p.index[-1] == frame["date"].iloc[-1]
    assert answer.facts.study == "S" and "model.serving.packaged" in answer.modules


def test_a_store_that_does_not_answer_the_process_is_waited_for(monkeypatch):
    """A port of this machine that nobody listens on; a model that is not there is none of that."""
    days = pd.DataFrame({"date": pd.to_datetime(["2020-01-02"])})
    told = []
    monkeypatch.setattr(patience, "WAITING", patience._Waiting())
    monkeypatch.setattr(patience.WAITING, "tell", told.append)
    monkeypatch.setenv(patience.VARIABLE, "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(StoreLostError, match=r"a store must answer .*(refused|Max retries)"):
        ask_fresh_process("models:/m-nobodys", days, f"http://127.0.0.1:{free_port()}")
    assert len(told) == 1 and "waiting for it until" in told[0]


def test_a_process_that_takes_too_long_is_given_up(logged, monkeypatch):
    _, _, model_uri, _, frame, _, uri = logged
    monkeypatch.setattr(fresh_process, "TIMEOUT", 0.01)
    monkeypatch.setattr(fresh_process, "TIMEOUT_OF_A_DAY", 0.0)
    with pytest.raises(RecordError, match=r"must forecast within 0\.01 s"):
        ask_fresh_process(model_uri, frame, uri)
