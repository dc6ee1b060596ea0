import optuna
import pytest
from optuna.distributions import FloatDistribution

from pipeline.exceptions import InputError
from search.study.pruner import LEAST_QUARTERS, STARTUP_TRIALS, WARM_UP_EPOCHS, make_pruner


def curve(study, losses):
    """One trial's losses an epoch, and the epoch after which it was pruned."""
    trial = study.ask({"x": FloatDistribution(0, 1)})
    for epoch, loss in enumerate(losses, start=1):
        trial.report(loss, epoch)
        if trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return epoch
    study.tell(trial, losses[-1])
    return None


@pytest.fixture
def study():
    study = optuna.create_study(pruner=make_pruner("median"))
    for i in range(STARTUP_TRIALS):
        assert curve(study, [0.5 + i / 100, 0.5 + i / 100, 0.45 + i / 100, 0.4 + i / 100, 0.35 + i / 100]) is None
    return study


def test_a_trial_that_is_worse_and_no_longer_falls_is_pruned_after_the_warm_up(study):
    assert curve(study, [0.9, 0.91, 0.92, 0.93, 0.94]) == WARM_UP_EPOCHS + 1


def test_a_trial_that_still_falls_is_left_alone(study):
    assert curve(study, [0.9, 0.8, 0.7, 0.6, 0.55]) is None


def test_a_trial_better_than_the_median_is_left_alone(study):
    assert curve(study, [0.3, 0.31, 0.32, 0.33, 0.34]) is None


def test_nothing_is_pruned_before_there_is_something_to_compare_with():
    study = optuna.create_study(pruner=make_pruner("median"))
    for _ in range(STARTUP_TRIALS):
        assert curve(study, [0.9, 0.91, 0.92, 0.93]) is None


def test_none_never_prunes():
    study = optuna.create_study(pruner=make_pruner("none"))
    for loss in [0.1] * 20 + [9.0]:
        assert curve(study, [loss + i for i in range(6)]) is None


def test_an_unknown_pruner_is_refused():
    with pytest.raises(InputError, match="pruner must be one of median, wilcoxon, none, got 'hyperband'"):
        make_pruner("hyperband")


def quarters(study, losses, value=None):
    """One trial of so many quarters a fold: after how many quarters it was pruned."""
    trial = study.ask({"x": FloatDistribution(0, 1)})
    for number, loss in enumerate(losses):
        trial.report(loss, 8000 + number)
        if number % 4 == 3 and trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return number + 1
    study.tell(trial, sum(losses) / len(losses) if value is None else value)
    return None


@pytest.fixture
def folds():
    study = optuna.create_study(pruner=make_pruner("wilcoxon"))
    assert quarters(study, [-0.01 - 0.001 * (i % 5) for i in range(32)]) is None
    return study


def test_a_trial_that_is_worse_in_most_quarters_is_pruned_after_two_years(folds):
    assert quarters(folds, [-0.005] * 32) == LEAST_QUARTERS


def test_a_trial_that_is_worse_now_and_better_then_is_left_alone(folds):
    best = folds.best_trial.intermediate_values.values()
    assert quarters(folds, [each + (0.01 if i % 2 else -0.012) for i, each in enumerate(best)]) is None


def test_a_better_trial_is_left_alone_and_the_next_is_compared_with_it(folds):
    assert quarters(folds, [-0.03] * 32) is None
    assert quarters(folds, [-0.02] * 32) == LEAST_QUARTERS


def test_a_result_that_was_taken_over_is_no_trial_to_compare_with(folds):
    folds.add_trial(optuna.trial.create_trial(value=-1.0))
    assert quarters(folds, [-0.005] * 32) == LEAST_QUARTERS
