from dataclasses import replace

from search.report.sections.learning import learning_in_words, learning_section


def test_every_curve_is_drawn_and_the_best_named(inputs, measured):
    (figure,) = learning_section(inputs, measured).figures
    assert len(figure.data) == 200
    assert figure.data["model"].nunique() == 50
    assert inputs.trials.names[inputs.trials.best("trial")] in figure.alt


def test_it_says_how_many_were_still_improving(inputs):
    assert learning_in_words(inputs).startswith("Of 50 trials 0 had their lowest")
    early = replace(inputs, curves=inputs.curves[inputs.curves["epoch"] <= 2])
    assert learning_in_words(early).startswith("Of 50 trials 50 had their lowest validation loss in their last epoch")


def test_a_record_without_epochs_says_so(inputs, measured):
    section = learning_section(replace(inputs, curves=inputs.curves.iloc[:0]), measured)
    assert [block.text for block in section.blocks] == ["The record holds no losses by epoch."]
