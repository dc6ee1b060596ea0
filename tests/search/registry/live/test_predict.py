import json
import re
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from pipeline.splits.target import Target
from search.registry.live.predict import LiveRecord, live_record, span_to_ask

MODEL = "patchscale-^GSPC-h1"


@pytest.fixture
def series(planned):
    plan, dataset, _ = planned
    rng = np.random.default_rng(0)
    return plan, dataset.frame, pd.Series(rng.uniform(0.1, 0.4, len(dataset.frame)), index=dataset.dates)


@pytest.mark.lesson("L22")
def test_sealed_days_are_counted_and_their_outcomes_never_made(series):
    plan, bars, p = series
    since = pd.Timestamp("2016-12-30")
    found = live_record(p, bars, plan.target, plan.split, since=since, base_rate=0.2)
    assert (found.n_days, found.n_sealed) == (0, 501)
    assert found.text() == "no unseen day yet; 501 days lie in the sealed test split and are not scored"
    spoiled = bars.copy()
    spoiled.loc["2017-01-01":, ["high", "close"]] = np.nan
    assert live_record(p, spoiled, plan.target, plan.split, since=since, base_rate=0.2) == found


def test_days_after_the_seal_are_scored_and_no_earlier_one(series):
    plan, bars, p = series
    early = replace(plan.split, test_end=date(2017, 12, 29))
    found = live_record(p, bars, plan.target, early, since=pd.Timestamp("2017-06-30"), base_rate=0.2)
    labels = pd.Series(plan.target.labels(bars), index=bars.index).loc["2018-01-02":].dropna()
    assert (found.n_days, found.n_sealed) == (len(labels), 126)
    q = p.loc[labels.index]
    assert found.loss == pytest.approx(-np.log(np.where(labels == 1, q, 1 - q)).mean())
    assert found.base_rate_loss == pytest.approx(-np.log(np.where(labels == 1, 0.2, 0.8)).mean())
    assert found.difference.value == pytest.approx(found.loss - found.base_rate_loss)
    assert found.difference.low < found.difference.value < found.difference.high and found.difference.n_days == 250
    assert re.search(
        r"^250 unseen days: log loss 0\.\d+, always saying the training base rate 0\.\d+; difference in loss .* "
        r"250 days can show 0\.\d+ \(two-sided, 80% power\); 126 days lie",
        found.text(),
    )
    later = live_record(p, bars, plan.target, early, since=pd.Timestamp("2018-11-30"), base_rate=0.2)
    assert (later.n_days, later.n_sealed) == (int((labels.index > "2018-11-30").sum()), 0)


def test_one_outcome_only_is_scored(series):
    plan, bars, p = series
    early = replace(plan.split, test_end=date(2017, 12, 29))
    target = Target(horizon=1, threshold=0.5)
    found = live_record(p, bars, target, early, since=pd.Timestamp("2018-01-02"), base_rate=0.2)
    assert found.base_rate_loss == pytest.approx(-np.log(0.8))
    assert np.isfinite(found.difference.value) and np.isnan(found.difference.detectable), "one class has no interval"
    assert "fewer than 10 of the 249 days are of one class" in found.text() and "nan" not in found.text()


@pytest.mark.parametrize(("n_days", "scored"), [(1, False), (199, False), (200, True)])
def test_so_few_days_are_counted_and_show_nothing(series, n_days, scored):
    plan, bars, p = series
    early = replace(plan.split, test_end=date(2017, 12, 29))
    since = bars.index[-n_days - 2]
    found = live_record(p, bars, plan.target, early, since=since, base_rate=0.2)
    assert (found.n_days, found.loss is not None, found.difference is not None) == (n_days, scored, scored)
    if not scored:
        days = "1 unseen day" if n_days == 1 else f"{n_days} unseen days"
        assert found.text() == f"{days}; so few show nothing, from 200 on they are scored"


def test_what_is_asked_is_what_is_shown_or_scored_and_no_day_more(series):
    plan, bars, p = series
    early = replace(plan.split, test_end=date(2017, 12, 29))
    for split, since in (
        (early, "2017-06-30"),
        (early, "2018-11-30"),
        (plan.split, "2016-12-30"),
        (early, bars.index[-1]),
    ):
        first, last = span_to_ask(bars.index, pd.Timestamp(since), split)
        how = {"since": pd.Timestamp(since), "base_rate": 0.2}
        whole = live_record(p, bars, plan.target, split, **how)
        assert live_record(p.loc[first:last], bars, plan.target, split, **how) == whole
        assert last == bars.index[-1] and len(p.loc[first:last]) == max(
            1, whole.n_days + plan.target.horizon * (first != last)
        )


def test_no_day_is_no_record():
    assert LiveRecord(n_days=0, n_sealed=0).text() == "no unseen day yet"


def test_the_command_forecasts_the_newest_session(shop, command):
    code, out, err = command("predict", f"{MODEL}/2")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("note: data are stale: the newest session here is 2018-12-31, the exchange has had ")
    assert lines[1] == f"{MODEL}/2: Will the high of ^GSPC reach +1 % within 1 session of the close?"
    assert lines[2].startswith("2018-12-31: probability 0.") and "base rate of training 0." in lines[2]
    assert lines[3] == "record: no unseen day yet"
    held = json.loads(command("predict", f"{MODEL}@challenger", "--json", "--offline")[1])
    assert held["version"] == f"{MODEL}/2" and f"{held['probability']:.4f}" in lines[2]
    assert held["remarks"][0] == "not refreshed, as asked (--offline)"
    assert (held["horizon"], held["threshold"], held["record"]["n_days"]) == (1, 0.01, 0)


def test_the_champion_is_found_by_ticker(shop, command):
    code, out, err = command("predict", "--ticker", "^GSPC")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "an alias of patchscale-^GSPC-h1 must be one of challenger, got 'champion'" in err
    command("promote", f"{MODEL}/1", "--force", "test")
    assert f"{MODEL}/1: Will" in command("predict", "--ticker", "^GSPC", "--offline")[1]
    own = ("--horizon", "1", "--threshold", "0.01")
    assert f"{MODEL}/1: Will" in command("predict", "--ticker", "^GSPC", "--offline", *own)[1]
    code, out, err = command("predict", "--ticker", "^GSPC", "--horizon", "3")
    assert (code, out, err.count("\n")) == (2, "", 1), "a binary head answers nothing else"
    assert "got 'patchscale-^GSPC-h3'" in err and "a study with --head distribution makes a model that" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "predict takes a MODEL_VERSION or a --ticker, got neither"),
        (("m/1", "--ticker", "SPY"), "got both"),
        (("--ticker", "SPY"), "got 'patchscale-SPY-h1'"),
        (("--ticker", "SPY", "--horizon", "0"), "horizon must be a whole number"),
        (("--ticker", "SPY", "--threshold", "x"), "threshold must be a fraction"),
        (("--ticker", "SPY", "--threshold", "-0.01"), "threshold must be a rise of the price"),
        ((f"{MODEL}/1", "--threshold", "-0.01"), "threshold must be a rise of the price"),
        ((f"{MODEL}/1", "--horizon", "1.5"), "horizon must be a whole number"),
        (
            (f"{MODEL}/1", "--horizon", "3"),
            "a model with a binary head answers its own question alone, horizon 1 and threshold 0.01, got horizon 3 "
            "and threshold 0.01; leave both out, or ask a model of --head distribution",
        ),
        ((f"{MODEL}/1", "--threshold", "0.02"), "got horizon 1 and threshold 0.02; leave both out"),
        ((f"{MODEL}/1", "--source", "bloomberg"), "source must be one of"),
    ],
)
def test_mistakes_are_one_line_exit_2(shop, command, arguments, words):
    code, out, err = command("predict", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
