import pytest
from optuna.trial import TrialState

from search.audit.audit import audit_study
from search.hpo.supplement import find_shortfall, queue_shortfall
from search.space.extremes import extremes
from search.space.ranks import SearchSpace
from search.tracking.locks import study_lock


@pytest.fixture
def study(make_study, run_trials, monkeypatch):
    """Six trials, of which the first, an extreme, failed."""
    study = make_study(6)

    def fail(*arguments):
        raise ValueError("no such luck")

    with monkeypatch.context() as patch:
        patch.setattr("search.trial.training.build_model", fail)
        run_trials(study, 1)
    return run_trials(study, 5)


def labels(architectures):
    return [a.label for a in architectures]


@pytest.mark.slow
@pytest.mark.lesson("L31")
@pytest.mark.lesson("L4")
def test_exactly_the_gaps_are_queued_like_every_forced_trial_and_fill_them(study, run_trials, make_study):
    failed = extremes(study.plan.grid())[0]
    assert labels(audit_study(study).gaps) == [failed.label]
    shortfall = find_shortfall(study)
    assert labels(shortfall.new) == labels(shortfall.missing) == [failed.label]
    before = study.target_trials
    assert queue_shortfall(study, shortfall) == len(study.finished()) + 1
    assert make_study(study.target_trials).target_trials == before + 1
    (waiting,) = study.schedule.get_trials(states=(TrialState.WAITING,))
    assert SearchSpace(study.plan.grid()).decode(waiting.system_attrs["fixed_params"]) == failed
    run_trials(study, 1)
    run = study.client.get_run(study.schedule.trials[-1].user_attrs["run_id"])
    assert run.data.tags["forced"] == "supplement"
    assert run.data.tags["record.state"] == "valid"
    assert set(run.data.params) == set(study.client.get_run(study.finished()[0].user_attrs["run_id"]).data.params)
    assert find_shortfall(study).missing == ()
    assert not any("extreme" in line for line in audit_study(study).missing)


@pytest.mark.slow
@pytest.mark.lesson("L29")
def test_what_is_queued_already_is_not_queued_again(make_trained):
    study = make_trained(2, 2)
    shortfall = find_shortfall(study)
    assert len(shortfall.missing) == len(shortfall.coming) == 4
    assert shortfall.new == ()
    assert queue_shortfall(study, shortfall) == study.target_trials == 6


def test_running_trials_count_as_coming_only_while_somebody_works(make_trained):
    study = make_trained(2, 2)
    study.schedule.ask(SearchSpace(study.plan.grid()).distributions())
    assert len(find_shortfall(study, running=True).coming) == 4
    assert len(find_shortfall(study, running=False).coming) == 4


@pytest.mark.slow
def test_where_asks_for_one_trial_with_these_values_only(make_trained):
    study = make_trained(6, 6)
    assert find_shortfall(study, ["n_layers=6"]).missing == ()
    for trial in study.finished():
        if trial.user_attrs["n_layers"] == 6:
            study.client.delete_run(trial.user_attrs["run_id"])
    (missing,) = find_shortfall(study, ["n_layers=6", "n_heads=1", "n_layers=6,d_ff=16"]).new
    assert (missing.n_layers, missing.d_ff) == (6, 16)


def test_dry_run_prints_and_queues_nothing(make_trained, command):
    study = make_trained(2, 2)
    before = [trial.state for trial in study.schedule.trials]
    code, out, _ = command("supplement", study.plan.study, "--dry-run")
    assert code == 0
    assert f"4 queued already: {', '.join(labels(extremes(study.plan.grid())[2:]))}" in out
    assert "0 to queue: nothing more" in out
    assert [trial.state for trial in study.schedule.trials] == before
    assert study.target_trials == 2


@pytest.mark.slow
@pytest.mark.lesson("L32")
@pytest.mark.lesson("L34")
@pytest.mark.usefixtures("forked_workers")
def test_the_command_runs_the_gaps_and_then_says_that_nothing_is_missing(make_trained, command):
    study = make_trained(9, 3)
    name = study.plan.study
    assert command("audit", name)[0] == 1
    code, out, _ = command("supplement", name, "--workers", "1", "--device", "cpu")
    assert code == 0, out
    assert "nothing is missing any more" in out
    assert (len(study.finished()), study.target_trials) == (6, 9)
    run = study.client.get_run(study.run_id)
    assert (run.info.status, run.data.tags["status.reason"]) == ("KILLED", "incomplete")
    assert audit_study(study).missing == ["6 of 9 trials finished"]
    code, out, _ = command("supplement", name)
    assert (code, out) == (0, f"study {name}: nothing is missing\n")
    assert len(study.finished()) == 6


def test_a_study_in_use_is_refused(make_study, stores, command):
    study = make_study(2)
    with study_lock(stores, study.plan.study):
        code, _, err = command("supplement", study.plan.study, "--workers", "1")
    assert code == 2
    assert "worked on by one command at a time" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--where", "n_layers"], "where must be axis=value"),
        (["--where", "n_layers=7"], "n_layers can be 2, 3, 4, 6"),
        (["--workers", "none"], "workers must be auto"),
        (["--device", "mps"], "device mps needs an Apple GPU"),
        (["--device", "tpu"], "device must be auto, cpu, cuda or mps"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(make_study, command, arguments, words):
    study = make_study(2)
    code, _, err = command("supplement", study.plan.study, *arguments)
    assert code == 2
    assert words in err and err.count("\n") == 1
    assert study.target_trials == 2
