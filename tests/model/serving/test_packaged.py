from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.network.checkpoint import load_checkpoint
from model.serving.package_info import package_facts
from model.serving.packaged import PACKAGE, PackagedModel, member_name, require_members, write_facts, write_package
from model.training.trainer import predict_rows
from pipeline.datasets.raw_bars import raw_bars
from pipeline.exceptions import DataError, InputError, StoreError
from pipeline.tiers import TIERS, tier_memory

SAME = 1e-6
FORMS = [("r25", 60), ("r33", 60), ("r33", 80), ("r55", 30)]


@pytest.fixture(scope="module", params=FORMS, ids=lambda form: f"{form[0]}-{form[1]}")
def case(request, market, members, tmp_path_factory):
    """A package of two members, what a caller sends, and the members' own probabilities by day."""
    tier, context_length = request.param
    root, dataset = market(tier)
    specs, models, windows = members(tier, (0, 1), context_length)
    directory = tmp_path_factory.mktemp("package")
    facts = package_facts(specs, dataset, windows.rows.train, n_epochs=(1, 1))
    write_package(directory, members=list(zip(specs, models, strict=True)), facts=facts)
    rows = np.arange(context_length - 1, len(dataset.dates))
    p_D = np.mean([predict_rows(model, windows, rows) for model in models], axis=0)
    offline = pd.Series(p_D, index=dataset.dates[rows])
    return PackagedModel.load(directory), raw_bars(root, dataset), offline


@pytest.fixture(scope="module")
def parts(market, members):
    _, dataset = market("r33")
    specs, models, windows = members("r33", (0, 1))
    return specs, models, package_facts(specs, dataset, windows.rows.train, n_epochs=(1, 1))


@pytest.fixture
def written(parts, tmp_path):
    specs, models, facts = parts
    write_package(tmp_path / "package", members=list(zip(specs, models, strict=True)), facts=facts)
    return tmp_path / "package"


@pytest.mark.slow
@pytest.mark.lesson("L17")
def test_every_day_is_forecast_as_offline(case):
    packaged, frame, offline = case
    assert offline.std() > 0.01, "probabilities that hardly differ prove nothing"
    found = packaged.predict(frame, days="all")
    assert len(found) == len(frame) - packaged.required_days + 1
    np.testing.assert_allclose(found["probability"], offline.loc[found["date"]], rtol=0, atol=SAME)
    assert list(found.columns) == ["date", "probability", "horizon", "threshold"]
    assert set(found["horizon"]) == {2} and set(found["threshold"]) == {0.02}
    pd.testing.assert_frame_equal(packaged.predict(frame), found.tail(1).reset_index(drop=True), atol=SAME, rtol=0)


@pytest.mark.slow
@pytest.mark.lesson("L17")
@settings(max_examples=15)
@given(st.data())
def test_a_random_day_from_as_few_bars_as_it_needs_is_forecast_as_offline(case, data):
    packaged, frame, offline = case
    end = data.draw(st.integers(packaged.required_days, len(frame)))
    sent = frame.iloc[end - packaged.required_days : end]
    found = packaged.predict(sent)
    assert len(found) == len(packaged.predict(sent, days="all")) == 1
    assert found["date"][0] == frame["date"].iloc[end - 1]
    assert abs(found["probability"][0] - offline.loc[found["date"][0]]) < SAME


def test_one_session_too_few_is_refused_with_the_reason(case):
    packaged, frame, _ = case
    assert packaged.required_days == tier_memory(packaged.facts.tier) + packaged.context_length
    rule = f"at least {packaged.required_days} sessions .* got {packaged.required_days - 1}; send a longer history"
    with pytest.raises(DataError, match=rule):
        packaged.predict(frame.tail(packaged.required_days - 1))


def test_the_probability_is_the_mean_of_the_members(parts, written, case):
    packaged = PackagedModel.load(written)
    x_DF = np.random.default_rng(0).normal(size=(70, 33)).astype(np.float32)
    alone = [replace(packaged, members=(member,)).probabilities(x_DF) for member in packaged.members]
    assert len(alone[0]) == 11 and np.abs(alone[0] - alone[1]).max() > 0.01
    np.testing.assert_allclose(packaged.probabilities(x_DF), np.mean(alone, axis=0), rtol=0, atol=1e-12)


def test_days_must_be_known(case):
    with pytest.raises(InputError, match="days must be one of last, all, got 'next'"):
        case[0].predict(case[1], days="next")


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_bars_at_the_edge_of_the_rules_have_a_forecast(case, scale):
    packaged, frame, _ = case
    sent = frame.tail(packaged.required_days).reset_index(drop=True)
    prices = ["open", "high", "low", "close", "adj_close"]
    sent.loc[len(sent) - 3 :, prices] *= scale
    assert 0 <= packaged.predict(sent)["probability"][0] <= 1


def test_bars_of_another_series_are_refused_and_the_same_from_elsewhere_are_not(case):
    packaged, frame, _ = case
    sent = frame
    factor = np.exp(np.random.default_rng(0).normal(0, 0.004, len(sent)).cumsum())
    prices = ["open", "high", "low", "close", "adj_close"]
    other = sent.assign(**{name: sent[name] * factor for name in prices})
    with pytest.raises(DataError, match=r"must be of \^GSPC, got others: on the 2\d\d days .* agree by 0\.[5-9]\d in"):
        packaged.predict(other)
    for same in (sent.assign(**{name: sent[name].round(2) for name in prices}), sent.assign(close=sent["adj_close"])):
        bounded = same.assign(high=same[prices].max(axis=1), low=same[prices].min(axis=1))
        packaged.predict(bounded)
    older = replace(packaged, facts=replace(packaged.facts, closes={}))
    assert 0 <= older.predict(other)["probability"][0] <= 1


@pytest.mark.lesson("L8")
def test_each_member_carries_its_own_spec_and_nothing_is_pickled(parts, written):
    specs, _, facts = parts
    files = sorted(str(path.relative_to(written)) for path in written.rglob("*") if path.is_file())
    assert files == ["members/0.safetensors", "members/1.safetensors", PACKAGE]
    assert [load_checkpoint(written / name)[0] for name in files[:2]] == specs
    packaged = PackagedModel.load(written)
    assert packaged.specs == tuple(specs) and packaged.facts == facts
    assert packaged.columns == ("date", "open", "high", "low", "close", "volume", "vix_close")


@pytest.mark.lesson("L8")
def test_facts_beside_checkpoints_that_were_put_there_are_the_same_package(parts, written, tmp_path):
    specs, _, facts = parts
    require_members(specs, facts)
    write_facts(tmp_path / "other", len(specs), facts)
    assert (tmp_path / "other" / PACKAGE).read_bytes() == (written / PACKAGE).read_bytes()
    shutil.copytree(written / "members", (tmp_path / "other" / member_name(0)).parent)
    assert PackagedModel.load(tmp_path / "other").facts == facts


@pytest.mark.lesson("L8")
def test_members_of_different_kinds_are_refused(parts, members, tmp_path):
    specs, models, facts = parts
    longer_specs, longer_models, _ = members("r33", (1,), 80)
    with pytest.raises(InputError, match="context lengths 60 and 80"):
        write_package(tmp_path, members=[(specs[0], models[0]), (longer_specs[0], longer_models[0])], facts=facts)
    other = replace(specs[1], target=replace(specs[1].target, horizon=1))
    with pytest.raises(InputError, match="different target"):
        write_package(tmp_path, members=[(specs[0], models[0]), (other, models[1])], facts=facts)
    with pytest.raises(InputError, match=r"seeds \(0, 1\) in its facts and \(0,\) in its members"):
        write_package(tmp_path, members=[(specs[0], models[0])], facts=facts)
    with pytest.raises(InputError, match="at least one model"):
        write_package(tmp_path, members=[], facts=facts)
    with pytest.raises(InputError, match=r"seeds \(0, 1\) in its facts and \(0,\) in its members"):
        require_members(specs[:1], facts)
    assert not list(tmp_path.iterdir())


def test_a_tier_that_never_forgets_its_start_is_refused_with_the_remedy(market, members, tmp_path):
    _, dataset = market("a25")
    specs, models, windows = members("a25", (0,))
    facts = package_facts(specs, dataset, windows.rows.train, n_epochs=(1,))
    with pytest.raises(InputError, match="obv of tier a25 is a running total; take tier r25"):
        write_package(tmp_path, members=[(specs[0], models[0])], facts=facts)


def _rewrite(directory, **facts):
    content = json.loads((directory / PACKAGE).read_text())
    content["facts"].update(facts)
    (directory / PACKAGE).write_text(json.dumps(content))


@pytest.mark.lesson("L17")
@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ({"tier_code": "0" * 16}, "feature code .* here .* and 0000000000000000 in training"),
        ({"features": [*(f.name for f in TIERS["r33"][:-1]), "vix_change_9"]}, "got features .* and .*vix_change_9"),
        ({"dataset": "0" * 32}, "dataset 0000.* in its facts"),
        ({"ticker": "SPY"}, "ticker SPY in its facts and \\^GSPC in its members"),
        ({"seeds": [0, 2]}, "seeds"),
    ],
)
def test_a_package_that_contradicts_itself_or_this_code_is_refused(written, facts, rule):
    _rewrite(written, **facts)
    with pytest.raises(StoreError, match=rule):
        PackagedModel.load(written)


@pytest.mark.lesson("L17")
def test_a_change_of_the_feature_code_is_found(written, monkeypatch):
    import pipeline.tiers as tiers

    source = tiers.inspect.getsource
    monkeypatch.setattr(tiers.inspect, "getsource", lambda module: source(module) + "#")
    with pytest.raises(StoreError, match="feature code"):
        PackagedModel.load(written)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1, "members": [], "facts": {}}'])
def test_what_is_no_package_is_refused(written, text):
    (written / PACKAGE).write_text(text)
    with pytest.raises(StoreError, match=r"package .* can't be read"):
        PackagedModel.load(written)


def test_a_package_of_another_format_or_without_a_member_file_is_refused(written, tmp_path):
    shutil.copytree(written, tmp_path / "copy")
    (written / "members" / "1.safetensors").unlink()
    with pytest.raises(StoreError, match=r"1\.safetensors can't be read"):
        PackagedModel.load(written)
    content = json.loads((tmp_path / "copy" / PACKAGE).read_text())
    (tmp_path / "copy" / PACKAGE).write_text(json.dumps({**content, "format": 9}))
    with pytest.raises(StoreError, match="format 1"):
        PackagedModel.load(tmp_path / "copy")


@pytest.mark.slow
@pytest.mark.parametrize("offset", ["logistic", "boosting"])
def test_a_base_logit_travels_with_its_member_and_needs_nothing_that_fits(
    market, members, tmp_path, offset, monkeypatch
):
    root, dataset = market("r25")
    specs, models, windows = members("r25", (0,), offset=offset)
    facts = package_facts(specs, dataset, windows.rows.train, n_epochs=(1,))
    write_package(tmp_path, members=[(specs[0], models[0])], facts=facts)
    frame = raw_bars(root, dataset)
    rows = windows.rows.validation
    sent = frame[frame["date"] <= dataset.dates[rows[-1]]]
    expected = predict_rows(models[0], windows, rows)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("sklearn", "threadpoolctl")]:
        monkeypatch.setitem(sys.modules, name, None)
    found = PackagedModel.load(tmp_path).predict(sent, days="all").set_index("date")["probability"]
    np.testing.assert_allclose(found.loc[dataset.dates[rows]], expected, rtol=0, atol=SAME)
