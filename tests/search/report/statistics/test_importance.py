from dataclasses import replace

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from search.report.statistics.importance import FANOVA, MIN_TRIALS, PED_ANOVA, importances


def losses_of(specs, weight=1.0):
    rng = np.random.default_rng(0)
    return [0.45 + 0.03 * weight * abs(np.log10(s.training.learning_rate) + 3.5) + 0.001 * rng.random() for s in specs]


def test_both_methods_find_the_parameter_that_makes_the_loss(inputs):
    specs = inputs.trial_specs()
    found = importances(specs, losses_of(specs))
    assert found.columns.tolist() == [PED_ANOVA, FANOVA]
    assert found[PED_ANOVA].idxmax() == found[FANOVA].idxmax() == found.index[0] == "learning_rate"
    np.testing.assert_allclose(found.sum(), 1.0)
    assert {"d_model", "n_layers", "n_heads", "d_ff", "batch_size"} < set(found.index)


def test_the_same_trials_give_the_same_importances(inputs):
    specs = inputs.trial_specs()
    assert importances(specs, losses_of(specs)).equals(importances(specs, losses_of(specs)))


@pytest.mark.parametrize("n", [1, MIN_TRIALS - 1])
def test_too_few_trials_have_none(inputs, n):
    specs = inputs.trial_specs()[:n]
    assert importances(specs, losses_of(specs)) is None


def test_equal_losses_have_none(inputs):
    specs = inputs.trial_specs()
    assert importances(specs, [0.5] * len(specs)) is None


def test_the_window_has_a_share_where_trials_differ_in_it_and_only_there(inputs):
    specs = inputs.trial_specs()
    assert "context_length" not in importances(specs, losses_of(specs)).index
    contexts = [20, 60] * len(specs)
    windows = [
        replace(spec, architecture=replace(spec.architecture, context_length=context), tolerance=0.99)
        for spec, context in zip(specs, contexts, strict=False)
    ]
    found = importances(
        windows, [loss + context / 1e3 for loss, context in zip(losses_of(specs, 0), contexts, strict=False)]
    )
    assert found.index[0] == "context_length" and "stride" not in found.index


def test_settings_have_a_share_in_the_ranges_that_they_were_searched_in(inputs):
    """Also where values lie outside of the usual ranges, as those of a distribution and of imports do."""
    specs = [
        replace(spec, training=replace(spec.training, weight_decay=2.0 * (number + 1), label_smoothing=number / 100))
        for number, spec in enumerate(inputs.trial_specs())
    ]
    losses = [0.4 + spec.training.label_smoothing for spec in specs]
    ranges = {"label_smoothing": FloatDistribution(0.0, 0.05), "weight_decay": FloatDistribution(1e-3, 0.3, log=True)}
    found = importances(specs, losses, ranges={**ranges, "batch_size": CategoricalDistribution((1, 2))})
    assert {"label_smoothing", "weight_decay", "batch_size"} < set(found.index) and "dropout" not in found.index
    assert found.loc["batch_size"].sum() < found.loc["label_smoothing"].sum()
