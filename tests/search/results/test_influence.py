from dataclasses import replace

import pytest

from search.results.influence import AXES, influence_of, influence_of_study
from search.results.trial_runs import recorded_trials
from search.study.trial_run import start_trial


@pytest.fixture
def recorded(make_study):
    """A study whose runs finished with these losses and entropies, each of another learning rate."""

    def make(*ends):
        study = make_study(len(ends))
        grid = study.plan.grid().architectures
        for number, (loss, entropy) in enumerate(ends):
            spec = study.plan.spec(grid[number % len(grid)], {"learning_rate": 1e-4 * (1 + number)})
            writer = start_trial(study, number, spec, device="cpu")
            writer.log({"best/loss": loss, **({} if entropy is None else {"attention/entropy": entropy})})
            writer.end("FINISHED")
        return study

    return make


@pytest.mark.slow
@pytest.mark.lesson("L48")
def test_a_study_says_what_had_a_say_from_its_runs_alone(recorded):
    study = recorded((0.4, 0.9999), (0.41, 0.98), (0.5, None))
    found = influence_of_study(study, recorded_trials(study))
    assert found.attention.words.startswith(
        "attention is uniform in 2 of 2 trials (entropy 0.98 to 0.9999 of uniform's)"
    )
    assert [axis.axis for axis in found.axes] == list(AXES)
    assert {axis.verdict for axis in found.axes} == {"unknown"}
    assert found.lines[0] == found.attention.words and len(found.lines) == 1 + len(AXES)
    assert found.note.startswith(found.attention.words) and "unknown, too few trials" in found.note
    held = found.to_dict()
    assert held["attention"] | {"words": ""} == {
        "trials": 3,
        "known": 2,
        "uniform": 2,
        "lowest": 0.98,
        "highest": 0.9999,
        "words": "",
    }
    assert set(held["axes"]) == set(AXES)


def test_without_a_finished_trial_nothing_is_said(make_study):
    found = influence_of(recorded_trials(make_study(2)))
    assert (found.lines, found.note, found.axes) == ([], "", ())


@pytest.mark.slow
def test_a_note_is_silent_about_attention_that_works(recorded):
    study = recorded((0.4, 0.9))
    assert influence_of(recorded_trials(study)).note.startswith("d_model")


@pytest.mark.slow
def test_feed_forward_is_judged_as_a_multiple_of_the_width(recorded):
    study = recorded(*[(0.40 + 0.001 * (number % 7), 0.9) for number in range(24)])
    found = {axis.axis: axis for axis in influence_of_study(study, recorded_trials(study)).axes}
    shapes = {trial.spec.architecture for trial in recorded_trials(study)}
    ratios = {shape.d_ff / shape.d_model for shape in shapes}
    assert found["d_ff"].n_values <= len(ratios) < len({shape.d_ff for shape in shapes}) + 1
    assert found["d_ff"].n_trials == 24 and found["d_ff"].verdict != "unknown"


@pytest.mark.slow
def test_the_window_is_judged_where_trials_differ_in_it(recorded):
    study = recorded((0.4, 0.9), (0.41, 0.91))
    trials = recorded_trials(study)
    shape = replace(trials[0].spec.architecture, context_length=30)
    changed = replace(trials[0], spec=replace(trials[0].spec, architecture=shape, tolerance=0.9))
    assert [axis.axis for axis in influence_of([changed, trials[1]]).axes] == [*AXES, "context_length"]
