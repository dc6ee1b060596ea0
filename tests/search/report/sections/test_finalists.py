from dataclasses import replace

import numpy as np
import pytest

from search.evidence.retrained import Retrained, claim_against
from search.report.command import make_report
from search.report.sections.finalists import claim_in_words, finalists_section


@pytest.fixture(scope="module")
def found(inputs):
    trials = inputs.trials
    p_MD = trials.p_MD[:3]
    others = [np.clip(p_MD + 0.01 * shift, 0.001, 0.999) for shift in (0, 1, -1)]
    return Retrained(names=trials.names[:3], seeds=(0, 1, 2), y_D=trials.y_D, p_SMD=np.stack(others))


def test_it_names_the_claim_its_finalists_and_seeds(inputs, found):
    section = finalists_section(inputs, found)
    said, table = section.blocks
    winner = found.names[found.order[0]]
    assert said.text.startswith("Of 3 finalists") and "each trained with 3 seeds" in said.text and winner in said.text
    assert list(table.data["finalist"]) == [found.names[row] for row in found.order]
    assert list(table.data["together"]) == sorted(found.losses_M) and table.head[2:] == ("seed 0", "seed 1", "seed 2")
    assert "choice among finalists counted" in said.text


def test_seeds_that_a_trial_averages_are_all_counted(inputs, found):
    of_three = replace(found, seeds=(4, 7, 10), seeds_each=3)
    said, table = finalists_section(inputs, of_three).blocks
    assert "each trained with 9 seeds" in said.text and table.head[2:] == ("seeds 4-6", "seeds 7-9", "seeds 10-12")
    assert "the mean of each 3 that were one trial" in table.caption
    assert "of each seed." in finalists_section(inputs, found).blocks[1].caption


def test_words_follow_the_interval(inputs, found):
    baseline = inputs.forecasts.p_MD[inputs.forecasts.best("baseline")]
    claim = claim_against(found, baseline, horizon=1)
    for low, high, words in (
        (-0.02, -0.01, "So it beats"),
        (-0.02, 0.01, "do not show"),
        (np.nan, np.nan, "too few for an interval"),
    ):
        moved = replace(claim, interval=replace(claim.interval, low=low, high=high))
        assert words in claim_in_words(found, moved, "logistic")


def test_a_report_shows_them_where_there_are_some(make_inputs):
    own = make_inputs(n_trials=3)
    trials = own.trials
    found = Retrained(names=trials.names, seeds=(0, 1, 2), y_D=trials.y_D, p_SMD=np.stack([trials.p_MD] * 3))
    assert "The finalists, with further seeds" not in make_report([own], n_resamples=100).html
    assert "The finalists, with further seeds" in make_report([replace(own, retrained=found)], n_resamples=100).html
