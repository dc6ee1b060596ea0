"""What determines every trial and is not searched, by what was asked."""

import pytest

from model.spec.architecture import Architecture
from pipeline.exceptions import InputError
from search.study.recipe import fixed_architecture, fixed_training, variant_names
from search.study.request import HpoRequest


def _name(request):
    sizes = {"d_model": 8, "n_layers": 1, "n_heads": 1, "d_ff": 16}
    return variant_names(fixed_training(request), Architecture(**sizes, **fixed_architecture(request)))


def test_a_binary_head_is_what_it_was():
    settings = fixed_architecture(HpoRequest(tier="r33"))
    assert settings == {
        "n_features": 33,
        "n_static": 0,
        "instance_norm": "none",
        "head": "binary",
        "horizons": "none",
    }
    training = fixed_training(HpoRequest())
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
    assert _name(HpoRequest()) == ("none", "none", "none", "none")
    usual = HpoRequest(head="distribution", tier="s33", offset="distribution_linear", blend="boosting:0.5")
    assert _name(usual) == ("distribution", "distribution_linear", "none", "boosting0.5")
