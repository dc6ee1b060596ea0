"""Registered distributions, plain and blended, asked everything: from a package, by the commands, over HTTP."""

from __future__ import annotations

import json
import shutil
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from model.network.question import Question
from model.serving.packaged import SHARES, PackagedModel
from pipeline.datasets.raw_bars import raw_bars
from pipeline.sources.sample import SampleSource
from search.cli import main
from search.registry.register import RegisterRequest, register
from search.registry.versions.versions import find_version
from search.study.make_plan import make_plan
from search.study.request import HpoRequest
from search.study.study import open_or_create_study
from search.tracking.stores import open_tracking, resolve_stores
from search.trial.runner import TrialRunner
from tests.served import body, post, serve

pytestmark = pytest.mark.slow
MODEL = "patchscale-^GSPC-h1"
PLAIN, BLEND = "1", "2"
AHEAD = (1, 2, 3, 5)
SAME = 1e-6
BLENDS = {PLAIN: "none", BLEND: "boosting:0.5"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory, template):
    """A directory whose registry has two versions of a distribution, each of two seeds; the second is a blend."""
    home = tmp_path_factory.mktemp("asked")
    shutil.copytree(template, home / "mlruns")
    stores = resolve_stores(*(f"sqlite:///{home}/mlruns/{name}.db" for name in ("mlflow", "optuna")))
    console = Console(file=StringIO(), width=1000)
    for version, blend in BLENDS.items():
        plan, dataset = make_plan(
            HpoRequest(budget="5K", max_epochs=1, patience=0, blend=blend, study=f"study-{version}"), root=home / "data"
        )
        study = open_or_create_study(stores, plan, trials=1, data_root=home / "data")
        TrialRunner(study, dataset, device="cpu", report=lambda event: None, should_stop=lambda: False).run_next()
        register(stores, f"study-{version}", RegisterRequest(seeds=2), console)
    return home, stores, raw_bars(home / "data", dataset)


@pytest.fixture(scope="module")
def packages(shop):
    """``packages[version]``: the package, and the features of its newest days."""
    _, stores, frame = shop
    found = {}
    for version in BLENDS:
        package = PackagedModel.load(package_of(stores, version))
        found[version] = package, package.features(frame.tail(package.required_days + 20))[1]
    return found


def package_of(stores, version) -> Path:
    """Directory of a version's package, as its logged model holds it."""
    source = find_version(open_tracking(stores), f"{MODEL}/{version}").source
    found = Path(url2pathname(urlsplit(source).path)) if source.startswith("file:") else Path(source)
    (package,) = found.rglob("package.json")
    return package.parent


def asked(package: PackagedModel, x_DF, horizon: int, threshold: float):
    return package.probabilities(x_DF, Question(horizon=horizon, threshold=threshold))


@pytest.mark.parametrize("version", BLENDS)
@given(thresholds=st.lists(st.floats(0, 0.2), min_size=2, max_size=4))
def test_trained_models_keep_both_orders(packages, version, thresholds):
    package, x_DF = packages[version]
    p_TH = np.array([[asked(package, x_DF, horizon, each) for horizon in AHEAD] for each in sorted(thresholds)])
    assert (np.diff(p_TH, axis=0) <= 0).all(), "falls with the threshold"
    assert (np.diff(p_TH, axis=1) >= 0).all(), "rises with the horizon"


@pytest.mark.parametrize("version", BLENDS)
def test_the_study_s_own_question_is_what_is_answered_without_one(packages, version):
    package, x_DF = packages[version]
    assert (package.probabilities(x_DF) == asked(package, x_DF, 1, 0.01)).all()
    assert len(package.probabilities(x_DF)) == 21


@pytest.mark.parametrize("version", BLENDS)
@given(horizon=st.sampled_from(AHEAD))
def test_quantiles_of_trained_models_are_the_inverse_of_their_answers(packages, version, horizon):
    package, x_DF = packages[version]
    rises_DQ = package.rise_quantiles(x_DF, Question(horizon=horizon, threshold=0.01))
    assert (np.diff(rises_DQ, axis=1) > 0).all()
    for column, share in enumerate(SHARES):
        rise = float(rises_DQ[-1, column])
        if rise >= 0:
            assert asked(package, x_DF, horizon, rise)[-1] == pytest.approx(1 - share, abs=1e-6)


def test_a_blend_is_another_forecast_than_its_plain_model(packages):
    plain, blend = (asked(*packages[version], 1, 0.01) for version in BLENDS)
    assert np.abs(plain - blend).max() > 1e-3


def test_served_over_http_it_answers_what_the_package_does(shop, packages):
    home, stores, frame = shop
    package, x_DF = packages[BLEND]
    sent = frame.tail(package.required_days + 20).assign(date=lambda f: f["date"].dt.strftime("%Y-%m-%d"))
    with serve(f"models:/{MODEL}/{BLEND}", stores.tracking_uri, home) as address:
        for params, question in (
            ({}, (1, 0.01)),
            ({"horizon": 3, "threshold": 0.02}, (3, 0.02)),
            ({"threshold": 0.0}, (1, 0.0)),
            ({"days": "all", "horizon": 5}, (5, 0.01)),
        ):
            status, answer = post(address, body(sent, **params))
            assert status == 200, answer
            expected = asked(package, x_DF, *question)[-len(answer) :]
            assert [row["probability"] for row in answer] == pytest.approx(list(expected), abs=SAME)
            assert {(row["horizon"], row["threshold"]) for row in answer} == {question}
        for params, said in (
            ({"horizon": 4}, "horizon must be one that the model forecasts, 1, 2, 3, 5, got 4"),
            ({"horizon": 1.5}, "horizon"),
            ({"threshold": -0.1}, "threshold must be a rise of the price below 1"),
            ({"threshold": "much"}, "threshold"),
        ):
            status, answer = post(address, body(sent, **params))
            assert (status, "Traceback" in str(answer)) == (400, False) and said in str(answer), answer


def test_the_commands_take_versions_of_a_distribution(shop, packages, monkeypatch, capsys):
    home, _, _ = shop
    monkeypatch.chdir(home)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def command(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = capsys.readouterr()
        assert ended.value.code == 0, err
        return out

    for version, (package, x_DF) in packages.items():
        told = json.loads(
            command("predict", f"{MODEL}/{version}", "--threshold", "0.02", "--horizon", "3", "--offline", "--json")
        )
        assert told["probability"] == pytest.approx(asked(package, x_DF, 3, 0.02)[-1], abs=SAME)
        rises = package.rise_quantiles(x_DF, Question(horizon=3, threshold=0.02))[-1]
        assert list(told["quantiles"].values()) == pytest.approx(list(rises), abs=SAME)
    compared = command("compare", f"{MODEL}/{PLAIN}", f"{MODEL}/{BLEND}")
    assert "days that both forecast" in compared and "log loss" in compared
    opened = command("evaluate", f"{MODEL}/{BLEND}")
    assert "on the test split: 50" in opened and f"openings of the test split: 1 by {MODEL}/{BLEND}" in opened


@pytest.fixture(scope="module")
def with_vix(tmp_path_factory, template):
    """A study of a tier that reads the VIX and which ticker it is, from files, pooled with a second ticker."""
    home = tmp_path_factory.mktemp("vix")
    shutil.copytree(template, home / "mlruns")
    bars = SampleSource().fetch("^GSPC").bars
    level = 20 * np.exp(0.4 * np.sin(np.arange(len(bars)) / 40))
    vix = bars.assign(**dict.fromkeys(("open", "high", "low", "close", "adj_close"), level), volume=0.0)
    for ticker, of in {"SPY": bars, "DIA": SampleSource().fetch("^IXIC").bars, "^VIX": vix}.items():
        of.rename_axis("date").to_csv(home / f"{ticker.removeprefix('^')}.csv")
    stores = resolve_stores(*(f"sqlite:///{home}/mlruns/{name}.db" for name in ("mlflow", "optuna")))
    request = HpoRequest(
        budget="5K", max_epochs=1, patience=0, source=f"csv:{home}?adjusted=yes", ticker="SPY", study="vix"
    )
    plan, _ = make_plan(request, root=home / "data")
    study = open_or_create_study(stores, plan, trials=1, data_root=home / "data")
    dataset, others = study.load_data()
    assert (dataset.tier, [each.ticker for each in others]) == ("s40", ["DIA"])
    quiet = {"report": lambda event: None, "should_stop": lambda: False}
    TrialRunner(study, dataset, pooled=others, device="cpu", **quiet).run_next()
    return home, stores


def test_a_tier_that_reads_the_vix_and_the_ticker_is_registered_and_asked(with_vix, monkeypatch, capsys):
    """Registering proves, in a process of its own, that raw bars give what the weights say on the dataset version."""
    home, stores = with_vix
    console = Console(file=StringIO(), width=1000)
    register(stores, "vix", RegisterRequest(as_is=True), console)
    assert "SPY-h1/1" in console.file.getvalue()
    monkeypatch.chdir(home)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["predict", "patchscale-SPY-h1/1", "--horizon", "3", "--threshold", "0.02", "--offline", "--json"])
    out, err = capsys.readouterr()
    assert ended.value.code == 0, err
    assert 0 < json.loads(out)["probability"] < 1
