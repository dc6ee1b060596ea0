import pytest

from pipeline.exceptions import InputError, StoreError
from search.results.named_trial import choose_finished, find_trial, named_run


@pytest.fixture
def study(make_trained):
    return make_trained(3, 2)


@pytest.mark.slow
def test_a_trial_is_named_by_its_study_by_its_number_or_by_the_digits_of_its_run(study, stores):
    ids = {trial.number: trial.user_attrs["run_id"] for trial in study.finished()}
    name = study.plan.study
    assert find_trial(stores, name)[1] is None
    assert find_trial(stores, name, 1)[1] == 1
    for number, run_id in ids.items():
        for digits in (run_id, run_id[:8], run_id[:12]):
            found, own = find_trial(stores, digits)
            assert (found.plan.study, own) == (name, number)
        assert find_trial(stores, run_id, number)[1] == number
        with pytest.raises(InputError, match=f"of trial {number} and --trial {number + 1}; leave one out"):
            find_trial(stores, run_id, number + 1)


def test_what_names_no_trial_is_refused_with_what_there_is(study, stores, tmp_path):
    with pytest.raises(StoreError, match=f"got 'GSPC-h1'; there are .*{study.plan.study[5:]}"):
        find_trial(stores, "GSPC-h1")
    with pytest.raises(InputError, match="got 'ffffffffffff', which no run begins with"):
        find_trial(stores, "ffffffffffff")
    with pytest.raises(InputError, match=r"must be named by its own run, got .* of a study run"):
        named_run(stores, study.run_id)


def test_digits_of_several_runs_are_refused(study, stores):
    run = study.client.create_run(study.experiment_id)
    twin = next(
        each
        for each in (study.client.create_run(study.experiment_id) for _ in range(600))
        if each.info.run_id[0] == run.info.run_id[0]
    )
    with pytest.raises(InputError, match="first digits must be of one run alone"):
        named_run(stores, twin.info.run_id[0])


def test_a_finished_trial_is_chosen_by_its_loss(study):
    best = min(study.finished(), key=lambda trial: trial.value)
    trial, of = choose_finished(study, None, "for a test")
    assert (trial.number, of) == (best.number, 2)
    with pytest.raises(InputError, match=r"trial must be one of study \S+ \(0 to 1\), got 7"):
        choose_finished(study, 7, "for a test")
