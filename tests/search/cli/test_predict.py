import json
from types import SimpleNamespace

import pytest

FOUND = SimpleNamespace(to_dict=lambda: {"probability": 0.25}, lines=lambda: iter(["first", "second"]))


@pytest.mark.parametrize(
    ("typed", "called", "text", "horizon", "threshold"),
    [
        (("m/3",), "predict_live", "m/3", None, None),
        (("m/3", "--horizon", "", "--threshold", ""), "predict_live", "m/3", None, None),
        (("m/3", "--horizon", "3", "--threshold", "0"), "predict_live", "m/3", 3, 0.0),
        (("--ticker", "SPY"), "predict_champion", "SPY", None, None),
        (("--ticker", "SPY", "--horizon", "5", "--threshold", "0.02"), "predict_champion", "SPY", 5, 0.02),
    ],
)
def test_a_version_or_the_ticker_s_champion_is_asked(record, command, typed, called, text, horizon, threshold):
    calls = record(f"search.registry.live.predict.{called}", FOUND)
    assert command("predict", *typed, "--source", "sample", "--offline") == (0, "first\nsecond\n", "")
    (((_, asked), named),) = calls
    question = {"horizon": horizon, "threshold": threshold}
    assert (asked, named) == (text, {**question, "source": "sample", "offline": True})
    assert json.loads(command("predict", *typed, "--json")[1]) == {"probability": 0.25}
    assert calls[1][1] == {**question, "source": "", "offline": False}


@pytest.mark.lesson("L34")
@pytest.mark.parametrize(("typed", "got"), [((), "neither"), (("m/3", "--ticker", "SPY"), "both")])
def test_one_of_version_and_ticker_has_to_be_given(home, command, typed, got):
    code, out, err = command("predict", *typed)
    assert (code, out) == (2, "")
    assert err == f"error: predict takes a MODEL_VERSION or a --ticker, got {got}; for instance --ticker SPY\n"
