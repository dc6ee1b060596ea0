from dataclasses import replace

import pytest

from search.evidence.bootstrap import Interval
from search.scaling.curves import CONSTANT, LINE, POWER_LAW, U_SHAPE
from search.scaling.result import BENDS, FALLS, NONE_FOUND, RISES
from search.scaling.scaling import scaling_of_points
from search.scaling.verdict import alpha_text, is_determined, verdict_of

FOUR = [1e4, 1e5, 1e6, 1e7]


@pytest.fixture(scope="module")
def study(simulated):
    return scaling_of_points(simulated(0, sizes=FOUR, gain=2.0, trial_sd=0.001), horizon=1, n_resamples=200)


def aicc_of(study, **lower):
    fits = tuple(replace(fit, problem="", aicc=-100.0 - lower.get(fit.name.replace(" ", "_"), 0)) for fit in study.fits)
    return replace(study, fits=fits)


def test_no_scaling_says_why_and_what_could_have_been_seen(study):
    change = Interval(value=-0.001, low=-0.004, high=0.003)
    flat = replace(aicc_of(study, constant=5), finding=NONE_FOUND, chosen=CONSTANT, change=change, detectable=0.0061)
    assert verdict_of(flat) == (
        "no scaling detected: a constant explains the losses best (AICc: line 5.0 higher, power law 5.0 higher, "
        "U-shape 5.0 higher); from N = 8.07K to 11.7M the loss changes by -0.0010 [-0.0040, 0.0030]; 502 days and "
        "40 trials could have shown a difference of 0.0061 between these sizes"
    )
    torn = replace(aicc_of(study, line=7), finding=NONE_FOUND, chosen=CONSTANT, change=change)
    assert "line has an AICc 7.0 below a constant's, but other days or trials could show none of it" in verdict_of(torn)


@pytest.mark.parametrize(
    ("finding", "chosen", "words"),
    [
        (FALLS, LINE, "a straight line in log N explains it, α and a floor are not determined"),
        (RISES, LINE, "loss rises with size: from N ="),
        (RISES, LINE, "the smallest budget predicts best"),
        (FALLS, POWER_LAW, "α = 0.300 [0.200, 0.400], floor E = "),
    ],
)
def test_a_slope_is_said_with_its_shape(study, finding, chosen, words):
    alpha = Interval(value=0.3, low=0.2, high=0.4)
    assert words in verdict_of(replace(study, finding=finding, chosen=chosen, alpha=alpha))


def test_a_bend_is_said_with_its_place(study):
    lowest = Interval(value=3e5, low=1e5, high=1.2e6)
    bent = replace(aicc_of(study, **{"U-shape": 9}), finding=BENDS, chosen=U_SHAPE, lowest=lowest)
    assert verdict_of(bent) == "best near N = 300K [100K, 1.2M]: U-shape (AICc 9.0 below a constant's)"


@pytest.mark.lesson("L23")
def test_an_exponent_at_the_end_of_the_search_is_not_a_figure(study):
    open_ended = Interval(value=0.3, low=0.01, high=3.0)
    assert alpha_text(open_ended) == "α = 0.300 [not above 0, above 3]"
    assert not is_determined(open_ended)
    said = verdict_of(replace(study, finding=FALLS, chosen=POWER_LAW, alpha=open_ended))
    assert said.endswith("not determined") and "floor E" not in said
