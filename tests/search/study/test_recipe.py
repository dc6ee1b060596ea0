"""What determines every trial and is not searched, by what was asked."""

from dataclasses import replace

import pytest

from model.spec.architecture import Architecture
from pipeline.exceptions import InputError
from pipeline.sources import open_source
from search.study.recipe import as_the_study_has_it, fixed_architecture, fixed_training, settled, variant_names
from search.study.request import HpoRequest

SAMPLE = open_source("sample")


def _name(request):
    request = settled(request, SAMPLE)
    sizes = {"d_model": 8, "n_layers": 1, "n_heads": 1, "d_ff": 16}
    return variant_names(fixed_training(request), Architecture(**sizes, **fixed_architecture(request)))


def test_a_binary_head_is_what_it_was():
    settings = fixed_architecture(settled(HpoRequest(tier="r33"), SAMPLE))
    assert settings == {
        "n_features": 33,
        "n_static": 0,
        "instance_norm": "none",
        "head": "binary",
        "horizons": "none",
    }
    training = fixed_training(settled(HpoRequest(tier="r25"), SAMPLE))
    assert (training.schedule, training.weight_average, training.offset, training.blend) == (
        "cosine",
        0.0,
        "none",
        "none",
    )


@pytest.mark.parametrize(("budget", "patch"), [("30K", 5), ("999K", 5), ("1M", 10), ("2M", 10), ("2B", 10)])
def test_small_models_have_short_patches(budget, patch):
    settings = fixed_architecture(HpoRequest(budget=budget, tier="s40", head="distribution"))
    assert (settings["patch_length"], settings["stride"], settings["context_length"]) == (patch, patch, 30)


@pytest.mark.parametrize(("horizon", "horizons"), [(1, "1 2 3 5"), (4, "1 2 3 4 5"), (10, "1 2 3 5 10")])
def test_the_target_s_horizon_is_among_those_of_a_distribution(horizon, horizons):
    settings = fixed_architecture(HpoRequest(tier="s33", head="distribution", horizon=horizon))
    assert settings["horizons"] == horizons


@pytest.mark.lesson("L34")
def test_a_distribution_without_a_tier_in_sigma_is_refused_with_the_remedy():
    with pytest.raises(InputError, match=r"head distribution .* got tier r33; take --tier s40"):
        fixed_architecture(HpoRequest(head="distribution", tier="r33"))


def test_a_name_says_what_is_not_usual():
    assert _name(HpoRequest(tier="r25")) == ("none", "none", "none", "none")
    assert _name(HpoRequest()) == ("none", "none", "none", "none")
    assert _name(HpoRequest(blend="boosting:0.5")) == ("none", "none", "none", "boosting0.5")
    assert _name(HpoRequest(offset="none", tier="s33")) == ("none", "no_offset", "none", "none")
    assert _name(HpoRequest(offset="logistic", instance_norm="revin")) == ("none", "logistic", "revin", "none")
    assert _name(HpoRequest(head="binary", tier="s33")) == ("binary", "none", "none", "none")


class Has:
    """A source that has these tickers."""

    default_ticker = "SPY"

    def __init__(self, *tickers):
        self.tickers = tickers

    def has(self, ticker):
        return ticker in self.tickers


@pytest.mark.parametrize(
    ("asked", "tickers", "found"),
    [
        ({}, "SPY ^VIX", ("distribution", "s40", "distribution_linear", ())),
        ({}, "SPY DIA ^IXIC", ("distribution", "s33", "distribution_linear", ("DIA", "^IXIC"))),
        ({"ticker": "^GSPC"}, "SPY QQQ", ("distribution", "s33", "distribution_linear", ("SPY", "QQQ"))),
        ({"ticker": "ABC"}, "ABC SPY", ("distribution", "s33", "distribution_linear", ())),
        ({"train_tickers": ("none",)}, "SPY DIA", ("distribution", "s33", "distribution_linear", ())),
        ({"train_tickers": ("ABC",)}, "SPY DIA", ("distribution", "s33", "distribution_linear", ("ABC",))),
        ({"offset": "none"}, "SPY", ("distribution", "s33", "none", ())),
        ({"offset": "logistic"}, "SPY DIA", ("binary", "r25", "logistic", ())),
        ({"tier": "r33"}, "SPY DIA ^VIX", ("binary", "r33", "none", ())),
        ({"head": "binary"}, "SPY DIA ^VIX", ("binary", "r25", "none", ())),
        ({"head": "binary", "tier": "s40"}, "SPY ^VIX", ("binary", "s40", "none", ())),
    ],
)
def test_what_is_left_open_is_the_best_that_is_known_and_what_is_said_stays(asked, tickers, found):
    done = settled(HpoRequest(**asked), Has(*tickers.split()))
    assert (done.head, done.tier, done.offset, done.train_tickers) == found
    assert (done.init, done.first_epoch) == ("fan_in", "0")
    assert settled(done, Has()) == done


@pytest.mark.lesson("L36")
def test_a_study_that_is_there_says_what_is_left_open(planned):
    """So the command that made it goes on with it, whatever the best recipe is by then."""
    plan = replace(planned[0], init="normal", first_epoch=1, offset="logistic")
    plan = replace(plan, data=replace(plan.data, train_datasets="DIA=0,^IXIC=1"))
    own = as_the_study_has_it(HpoRequest(), plan)
    assert (own.head, own.tier, own.offset, own.init) == ("binary", "r25", "logistic", "normal")
    assert (own.first_epoch, own.train_tickers) == ("1", ("DIA", "^IXIC"))
    asked = HpoRequest(head="distribution", tier="s33", offset="none", init="fan_in", first_epoch="0")
    assert as_the_study_has_it(replace(asked, train_tickers=("none",)), plan) == replace(asked, train_tickers=("none",))


def test_a_training_setting_that_is_asked_for_stands_in_the_recipe_and_a_range_does_not():
    asked = {"label_smoothing": "0.1", "weight_average": "0.5", "dropout": "0.1:0.2", "batch_size": "32"}
    for head, tier in (("binary", "r25"), ("distribution", "s33")):
        training = fixed_training(
            HpoRequest(head=head, tier=tier, offset="none", init="fan_in", first_epoch="0", **asked)
        )
        assert (training.label_smoothing, training.weight_average, training.batch_size) == (0.1, 0.5, 32)
        assert (training.dropout, training.attention_dropout) == (0.2, 0.0)


@pytest.mark.parametrize(
    ("head", "budget", "asked", "rates"),
    [
        ("distribution", "19.9M", "auto", "none"),
        ("distribution", "20M", "auto", "fan_in"),
        ("distribution", "2B", "auto", "fan_in"),
        ("binary", "2B", "auto", "none"),
        ("distribution", "20M", "none", "none"),
        ("binary", "30K", "fan_in", "fan_in"),
    ],
)
def test_rates_follow_the_width_where_that_was_measured_to_pay_or_as_asked(head, budget, asked, rates):
    own = {"tier": "s33", "offset": "none", "init": "fan_in", "first_epoch": "0"}
    assert fixed_training(HpoRequest(head=head, budget=budget, width_rates=asked, **own)).width_rates == rates
