from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.spec.architecture import Architecture, total_parameters
from model.spec.choices import INITS, OFFSETS, SCHEDULES, WIDTH_RATES
from model.spec.migrations import RECORD_SCHEMA
from model.spec.spec import DERIVED, Data, Spec, Training, field_names
from pipeline.exceptions import InputError, RecordError
from pipeline.splits.splits import Split
from pipeline.splits.target import RULES, Target
from tests.model.conftest import instantiated_parameters

Change = Callable[..., Spec]

EVERY_FIELD = tuple(field_names(Spec))
OTHER_VALUES: dict[str, Any] = {
    "dataset": "0" * 32,
    "snapshots": "^IXIC=0",
    "ticker": "^IXIC",
    "source": "yahoo",
    "tier": "a25",
    "train_datasets": "QQQ=1",
    "horizon": 5,
    "threshold": 0.02,
    "rule": "close",
    "train_start": date(2009, 1, 1),
    "train_end": date(2012, 11, 30),
    "validation_start": date(2013, 2, 1),
    "validation_end": date(2013, 11, 30),
    "test_start": date(2014, 2, 1),
    "test_end": date(2015, 12, 31),
    "n_features": 24,
    "context_length": 65,
    "patch_length": 9,
    "stride": 6,
    "d_model": 10,
    "n_layers": 2,
    "n_heads": 4,
    "d_ff": 17,
    "instance_norm": "revin",
    "n_static": 3,
    "head": "distribution",
    "horizons": "1 5",
    "learning_rate": 2e-3,
    "weight_decay": 0.0,
    "beta1": 0.8,
    "beta2": 0.9,
    "epsilon": 1e-6,
    "warmup_fraction": 0.3,
    "schedule": "flat",
    "width_rates": "fan_in",
    "init": "normal",
    "dropout": 0.0,
    "attention_dropout": 0.1,
    "label_smoothing": 0.1,
    "offset": "logistic",
    "blend": "boosting:0.5",
    "batch_size": 64,
    "clip_norm": 0.5,
    "max_epochs": 3,
    "patience": 1,
    "n_folds": 3,
    "n_seeds": 2,
    "first_epoch": 1,
    "weight_average": 0.9,
    "n_thresholds": 6,
    "largest_threshold": 2.0,
    "budget": "2.8K",
    "tolerance": 0.3,
    "seed": 1,
}
A_DISTRIBUTION = {"head": "distribution", "horizons": "1 5", "n_static": 3, "budget": "4.4K"}
GO_TOGETHER = {"head": A_DISTRIBUTION, "horizons": A_DISTRIBUTION, "n_folds": {"patience": 0}}


def others(name: str) -> dict[str, Any]:
    """Another value of a field, with those of the fields that it can't change without."""
    return {**GO_TOGETHER.get(name, {}), name: OTHER_VALUES[name]}


fraction = st.floats(0, 1, exclude_max=True)
positive = st.floats(0, 1e6, exclude_min=True)
count = st.integers(1, 10**6)
trainings = st.builds(
    Training,
    learning_rate=positive,
    weight_decay=st.floats(0, 1e3),
    beta1=fraction,
    beta2=fraction,
    epsilon=positive,
    warmup_fraction=fraction,
    dropout=fraction,
    attention_dropout=fraction,
    label_smoothing=fraction,
    offset=st.sampled_from(OFFSETS[:-1]),
    blend=st.sampled_from(["none", "boosting:0.5", "logistic:0.25"]),
    schedule=st.sampled_from(SCHEDULES),
    width_rates=st.sampled_from(WIDTH_RATES),
    init=st.sampled_from(INITS),
    batch_size=count,
    clip_norm=positive | st.integers(1, 5).map(lambda whole: whole),
    max_epochs=count,
    patience=st.integers(0, 10**6),
    first_epoch=st.integers(0, 1),
    weight_average=fraction,
    n_thresholds=count,
    largest_threshold=positive,
)
targets = st.builds(
    Target,
    horizon=st.integers(1, 60),
    threshold=st.floats(-0.5, 0.5).filter(bool),
    rule=st.sampled_from(RULES),
)
data = st.builds(Data, dataset=st.text(), snapshots=st.text(), ticker=st.text(), source=st.text(), tier=st.text())


@st.composite
def splits(draw: st.DrawFn) -> Split:
    day = draw(st.dates(date(1950, 1, 1), date(2020, 1, 1)))
    gaps = [draw(st.integers(1, 3000)) for _ in range(5)]
    days = [day + timedelta(days=sum(gaps[:i])) for i in range(6)]
    return Split(**dict(zip(Split.__dataclass_fields__, days, strict=True)))


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    n_heads = draw(st.sampled_from([1, 2, 4]))
    target, training = draw(targets), draw(trainings)
    ahead = draw(st.none() | st.sets(st.integers(1, 60), max_size=4).map(lambda days: days | {target.horizon}))
    if ahead:
        training = replace(training, offset=draw(st.sampled_from(["none", "distribution_linear"])))
    architecture = Architecture(
        head="distribution" if ahead else "binary",
        horizons=" ".join(map(str, sorted(ahead))) if ahead else "none",
        n_static=draw(st.integers(1 if ahead else 0, 40)),
        n_features=draw(st.integers(1, 30)),
        context_length=draw(st.integers(20, 100)),
        patch_length=(patch_length := draw(st.integers(1, 20))),
        stride=draw(st.integers(1, patch_length)),
        d_model=n_heads * draw(st.integers(1, 8)),
        n_layers=draw(st.integers(1, 4)),
        n_heads=n_heads,
        d_ff=draw(st.integers(1, 64)),
    )
    return Spec(
        data=draw(data),
        target=target,
        split=draw(splits()),
        architecture=architecture,
        training=training,
        budget=str(total_parameters(architecture)),
        tolerance=draw(st.floats(0.01, 0.99)),
        seed=draw(st.integers(0, 2**63 - 1)),
    )


def test_the_table_of_other_values_has_every_field() -> None:
    assert set(OTHER_VALUES) == set(EVERY_FIELD)


@pytest.mark.lesson("L1")
@given(spec=specs())
def test_params_round_trip(spec: Spec) -> None:
    params = spec.params()
    assert all(isinstance(value, str) for value in params.values())
    assert set(params) == {*EVERY_FIELD, *DERIVED, RECORD_SCHEMA}
    rebuilt = Spec.from_params(params)
    assert rebuilt == spec
    assert rebuilt.hash == spec.hash and rebuilt.params() == params


@pytest.mark.lesson("L1")
@pytest.mark.parametrize(("name", "whole"), [("weight_decay", 0), ("clip_norm", 1), ("dropout", 0), ("beta1", 0)])
def test_a_whole_number_for_a_fraction_is_the_same_spec(spec: Spec, change: Change, name: str, whole: int) -> None:
    given, same = change(spec, **{name: whole}), change(spec, **{name: float(whole)})
    assert given == same and given.hash == same.hash
    assert Spec.from_params(given.params()) == same


@pytest.mark.lesson("L1")
def test_minus_zero_is_zero(spec: Spec, change: Change) -> None:
    assert change(spec, weight_decay=-0.0).hash == change(spec, weight_decay=0.0).hash


@pytest.mark.lesson("L3")
@pytest.mark.parametrize("name", [*EVERY_FIELD, *DERIVED])
def test_a_dropped_field_is_named_and_never_guessed(spec: Spec, name: str) -> None:
    params = spec.params()
    del params[name]
    with pytest.raises(RecordError, match=rf"missing {name}$"):
        Spec.from_params(params)


@pytest.mark.lesson("L1")
@pytest.mark.parametrize("name", EVERY_FIELD)
def test_a_tampered_field_is_found(spec: Spec, change: Change, name: str) -> None:
    changed = change(spec, **others(name))
    with pytest.raises(RecordError):
        Spec.from_params({**spec.params(), name: changed.params()[name]})


@pytest.mark.lesson("L1")
@pytest.mark.parametrize("name", EVERY_FIELD)
def test_every_field_counts_in_the_hash(spec: Spec, change: Change, name: str) -> None:
    changed = change(spec, **others(name))
    assert changed != spec and changed.hash != spec.hash
    assert Spec.from_params(changed.params()) == changed


@pytest.mark.lesson("L5")
@pytest.mark.parametrize("name", DERIVED)
@pytest.mark.parametrize("value", ["", "0", "2802", "d8-L1-h4-ff16"])
def test_a_tampered_derived_value_is_found(spec: Spec, name: str, value: str) -> None:
    with pytest.raises(RecordError, match=f"record's {name} must be that of its spec"):
        Spec.from_params({**spec.params(), name: value})


@pytest.mark.lesson("L3")
@pytest.mark.parametrize("name", [n for n in EVERY_FIELD if not isinstance(OTHER_VALUES[n], str)])
@pytest.mark.parametrize("text", ["", "None", "unknown", "nan"])
def test_an_unreadable_field_is_a_record_error(spec: Spec, name: str, text: str) -> None:
    with pytest.raises(RecordError):
        Spec.from_params({**spec.params(), name: text})


def test_params_of_others_beside_the_spec_are_ignored(spec: Spec) -> None:
    assert Spec.from_params({**spec.params(), "python": "3.11"}) == spec


@pytest.mark.lesson("L6")
@pytest.mark.parametrize("part", [Training, Architecture, Spec])
def test_an_unknown_field_is_refused(part: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="warm_up"):
        part(warm_up=0.1)


@pytest.mark.lesson("L5")
@pytest.mark.parametrize("budget", ["2M", "2K", "3.8K", "1"])
def test_a_spec_outside_its_budget_does_not_exist(spec: Spec, budget: str) -> None:
    with pytest.raises(InputError, match=rf"budget {budget}, got 2,801 parameters in d8-L1-h2-ff16; take"):
        replace(spec, budget=budget)


@pytest.mark.lesson("L5")
def test_recorded_count_is_the_instantiated_count(spec: Spec) -> None:
    assert spec.params()["n_params"] == str(instantiated_parameters(spec.architecture))


def test_a_spec_can_not_be_changed(spec: Spec) -> None:
    with pytest.raises(AttributeError):
        spec.seed = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "learning_rate": [0.0, -1e-3, float("nan"), float("inf")],
        "weight_decay": [-1e-9, float("nan"), float("inf")],
        "beta1": [-0.1, 1.0, float("nan")],
        "beta2": [-0.1, 1.0, float("nan")],
        "epsilon": [0.0, float("nan"), float("inf")],
        "warmup_fraction": [-0.1, 1.0, float("nan")],
        "dropout": [-0.1, 1.0, float("nan")],
        "attention_dropout": [-0.1, 1.0, float("nan")],
        "label_smoothing": [-0.1, 1.0, float("nan")],
        "offset": ["", "None", "boost", 1],
        "batch_size": [0, -1, 1.5, 128.0, True],
        "clip_norm": [0.0, float("nan")],
        "max_epochs": [0, 2.0, True],
        "patience": [-1, 2.0, True],
    }.items(),
)
def test_training_values_outside_their_rule_are_refused(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InputError, match=rf"^{name} must be .*, got "):
            Training(**{name: value})


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, True, "0"])
def test_a_seed_must_be_one_that_torch_can_take(spec: Spec, seed: Any) -> None:
    with pytest.raises(InputError, match=r"^seed must be"):
        replace(spec, seed=seed)


@pytest.mark.parametrize("text", ["", "=1", "^GSPC=1", "QQQ=1,QQQ=2", "QQQ=1,,DIA=2"])
def test_pooled_datasets_are_of_other_tickers_each_once(spec: Spec, text: str) -> None:
    with pytest.raises(InputError, match="train_datasets must be none or ticker=digest"):
        replace(spec.data, train_datasets=text)


def test_train_tickers_begin_with_the_forecast_one(spec: Spec) -> None:
    assert spec.data.train_tickers == "^GSPC"
    pooled = replace(spec, data=replace(spec.data, train_datasets="QQQ=1,DIA=2"))
    assert pooled.params()["train_tickers"] == "^GSPC,QQQ,DIA"
