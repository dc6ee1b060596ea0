"""The one list of options: their defaults, their choices and the rules that hold for a request."""

from dataclasses import fields

import pytest

from model.spec.budget import DEFAULT_TOLERANCE
from pipeline.exceptions import InputError
from search.space.axes import MIN_HEAD_DIM
from search.study.request import AUTO, HpoRequest

FIELDS = {each.name: each for each in fields(HpoRequest)}


def test_what_is_written_out_for_speed_is_what_the_library_has():
    from model.spec.choices import OFFSETS
    from model.spec.spec import LARGEST_SEED
    from pipeline.tiers import TIERS
    from search.study.pruner import PRUNERS
    from search.study.sampler import DEFAULT_SAMPLER, SAMPLERS

    for name, choices in (
        ("tier", (AUTO, *TIERS)),
        ("sampler", SAMPLERS),
        ("pruner", (AUTO, *PRUNERS)),
        ("offset", (AUTO, *OFFSETS)),
    ):
        with pytest.raises(InputError) as refused:
            FIELDS[name].metadata["read"](name, "another")
        assert str(refused.value) == f"{name} must be one of {', '.join(choices)}, got 'another'"
    assert (HpoRequest().sampler, HpoRequest().pruner_name) == (DEFAULT_SAMPLER, PRUNERS[0])
    assert HpoRequest(seed=FIELDS["seed"].metadata["read"]("seed", str(LARGEST_SEED))).seed == LARGEST_SEED
    assert (HpoRequest().tolerance, HpoRequest().min_head_dim) == (DEFAULT_TOLERANCE, MIN_HEAD_DIM)


def test_every_option_says_what_it_is_and_its_default_is_what_its_text_reads_as():
    for name, option in FIELDS.items():
        assert option.metadata["help"].endswith("."), name
        assert option.metadata["read"](name, option.metadata["default"]) == option.default


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"budget": "20Q"}, "budget must be a number with K, M or B"),
        ({"tolerance": 1.0}, "tolerance must be between 0 and 1"),
        ({"n_layers": (0,)}, "n_layers must be whole numbers, at least 1"),
        ({"dropout": "0.5:0.1"}, "dropout must be LOW:HIGH with LOW below HIGH"),
        ({"stride": (0,)}, "stride must be whole numbers, at least 1"),
        ({"min_head_dim": 0}, "min_head_dim must be a whole number, at least 1"),
        ({"horizon": 0}, "horizon must be a whole number of days"),
        ({"threshold": -0.01}, "threshold must be a rise of the price"),
    ],
)
def test_a_request_that_no_command_line_read_is_held_to_the_rules_too(asked, words):
    with pytest.raises(InputError, match=words):
        HpoRequest(**asked)


def test_what_is_given_of_the_window_is_named_and_what_is_not_is_not():
    assert HpoRequest().named_settings == ()
    asked = HpoRequest(stride=(5,), context_length=(20, 30), label_smoothing="0.1", batch_size="32,64")
    assert asked.named_settings == ("context_length", "stride", "batch_size", "label_smoothing")
    assert asked.training["label_smoothing"].is_fixed and asked.training["batch_size"].values == (32, 64)


def test_folds_leave_no_day_to_choose_an_epoch_and_have_a_pruner_of_their_own():
    assert (HpoRequest().patience_epochs, HpoRequest(folds=8).patience_epochs) == (2, 0)
    assert (HpoRequest().pruner_name, HpoRequest(folds=8).pruner_name) == ("median", "wilcoxon")
    assert HpoRequest(folds=8, patience=0, pruner="none").pruner_name == "none"
    with pytest.raises(InputError, match=r"patience must be 0 with folds.*got 2; leave --patience out"):
        HpoRequest(folds=8, patience=2)
    with pytest.raises(InputError, match="pruner must be one of auto, wilcoxon, none with folds, got 'median'"):
        HpoRequest(folds=8, pruner="median")
    with pytest.raises(InputError, match="pruner must be one of auto, median, none without --folds, got 'wilcoxon'"):
        HpoRequest(pruner="wilcoxon")
