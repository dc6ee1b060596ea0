import json
from types import SimpleNamespace

import pytest

FOUND = SimpleNamespace(to_dict=lambda: {"probability": 0.25}, lines=lambda: iter(["first", "second"]))


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (("m/3",), "m/3"),
        (("--ticker", "SPY"), "patchscale-SPY-h1@champion"),
        (("--ticker", "SPY", "--horizon", "5", "--threshold", "0.02"), "patchscale-SPY-h5-t0.02@champion"),
    ],
)
def test_the_model_is_the_version_or_the_ticker_s_champion(record, command, typed, text):
    calls = record("search.registry.live.predict.predict_live", FOUND)
    assert command("predict", *typed, "--source", "sample", "--offline") == (0, "first\nsecond\n", "")
    (((_, asked), named),) = calls
    assert (asked, named) == (text, {"source": "sample", "offline": True})
    assert json.loads(command("predict", *typed, "--json")[1]) == {"probability": 0.25}
    assert calls[1][1] == {"source": "", "offline": False}


@pytest.mark.lesson("L34")
@pytest.mark.parametrize(("typed", "got"), [((), "neither"), (("m/3", "--ticker", "SPY"), "both")])
def test_one_of_version_and_ticker_has_to_be_given(home, command, typed, got):
    code, out, err = command("predict", *typed)
    assert (code, out) == (2, "")
    assert err == f"error: predict takes a MODEL_VERSION or a --ticker, got {got}; for instance --ticker SPY\n"
