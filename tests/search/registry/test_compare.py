import json

import numpy as np
import pandas as pd
import pytest

from pipeline.exceptions import InputError
from search.registry.compare import compare_track_records
from search.registry.gate.track_record import TrackRecord

MODEL = "patchscale-^GSPC-h1"


def track_records(strength, days=600):
    """Two versions, the first of which sees a share of what moves the probability that the second does not."""
    rng = np.random.default_rng(2)
    signal = rng.normal(size=days)
    y = (rng.random(days) < 1 / (1 + np.exp(1 - signal))).astype(float)
    dates = pd.bdate_range("2012-01-02", periods=days)
    noise = 0.1 * rng.normal(size=(2, days))
    pair = [1 / (1 + np.exp(1 - z)) for z in (strength * signal + noise[0], noise[1])]
    return [
        TrackRecord(name=f"m/{i}", source=f"source {i}", horizon=1, dates_D=dates, y_D=y, p_D=p)
        for i, p in enumerate(pair, 1)
    ]


@pytest.mark.slow
def test_a_better_version_is_named_whichever_comes_first(console):
    better, worse = track_records(1.0)
    found = compare_track_records(better, worse)
    assert found.verdict.startswith("m/1 is better than m/2 in log loss, by 0.")
    assert found.verdict == compare_track_records(worse, better).verdict
    assert found.differences["roc_auc"].value > 0 > found.differences["loss"].value
    found.show(console)
    text = console.file.getvalue()
    for words in ("600 days that both forecast, 2012-01-02 to", "AUC", "log loss", "Brier", "detectable", "source 2"):
        assert words in text


@pytest.mark.slow
@pytest.mark.lesson("L23")
def test_no_difference_says_what_the_days_could_show():
    near, far = track_records(0.0)
    assert compare_track_records(near, far).verdict.startswith(
        "no difference detected in log loss; 600 days can show 0."
    )


def test_few_days_are_unknown_and_none_are_refused():
    a, b = track_records(1.0, days=150)
    assert compare_track_records(a, b).verdict == "unknown: 150 common days are fewer than 200"
    later = TrackRecord(
        name="m/3", source="", horizon=1, dates_D=b.dates_D + pd.Timedelta(days=4000), y_D=b.y_D, p_D=b.p_D
    )
    with pytest.raises(InputError, match="must share days that both forecast out of sample, got 0 between m/1 and m/3"):
        compare_track_records(a, later)


def test_the_command_compares_stored_forecasts(shop, command):
    code, out, _ = command("compare", f"{MODEL}/1", f"{MODEL}@challenger", "--json")
    held = json.loads(out)
    assert (code, held["n_days"], held["names"]) == (0, 503, [f"{MODEL}/1", f"{MODEL}/2"])
    assert held["differences"]["loss"]["value"] == 0.0
    code, out, _ = command("compare", f"{MODEL}/1", f"{MODEL}/2")
    assert code == 0 and "no difference detected in log loss" in out and "trial 1 of study tiny" in out


@pytest.mark.parametrize(("a", "b", "words"), [(f"{MODEL}/1", f"{MODEL}/7", "got 7"), ("x/1", f"{MODEL}/1", "got 'x'")])
def test_mistakes_are_one_line_exit_2(shop, command, a, b, words):
    code, out, err = command("compare", a, b)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_two_questions_are_not_compared(shop, study, command):
    study.client.create_registered_model("patchscale-^GSPC-h5")
    study.client.create_model_version("patchscale-^GSPC-h5", source="file:///nothing")
    code, _, err = command("compare", f"{MODEL}/1", "patchscale-^GSPC-h5/1")
    assert (code, err.count("\n")) == (2, 1) and "must answer one question" in err
