import json
import shlex
import warnings

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.hpo.continued import _options
from search.space.ranks import TRAINING
from search.study.request import HpoRequest
from search.study.study import load_study

DIMENSIONS = ("d_model", "n_layers", "n_heads", "d_ff")


@pytest.fixture
def theirs(home, planned):
    """Somebody's storage: trials of the tiny grid, and one outside of it; the best of them last."""

    def make(trials, direction="minimize", drop=()):
        architectures = planned[0].grid().architectures
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            storage = optuna.storages.JournalStorage(
                optuna.storages.journal.JournalFileBackend(str(home / "theirs.log"))
            )
            study = optuna.create_study(study_name="theirs", storage=storage, direction=direction)
        for number in range(trials):
            params = {name: getattr(architectures[number % 3], name) for name in DIMENSIONS if name not in drop}
            params |= {"learning_rate": 1e-3 + number * 1e-4}
            add(study, params, 0.9 - number / 10)
        return study, architectures

    return make


def add(study, params, value):
    fixed = {name: optuna.distributions.CategoricalDistribution([given]) for name, given in params.items()}
    study.add_trial(optuna.trial.create_trial(params=params, distributions=fixed, value=value))


def queued(stores, name="theirs"):
    trials = load_study(stores, name).schedule.get_trials(deepcopy=False)
    return [t.system_attrs["fixed_params"] for t in trials if t.user_attrs.get("forced") == "imported"]


@pytest.mark.slow
@pytest.mark.parametrize(("direction", "first"), [("minimize", 1.2e-3), ("maximize", 1e-3)])
def test_settings_are_queued_best_first_and_once_and_no_result_is_taken_over(theirs, stores, command, direction, first):
    study, architectures = theirs(3, direction)
    add(study, {**{name: 7 for name in DIMENSIONS}, "learning_rate": 1e-3}, 0.1)
    add(study, {**study.trials[0].params, "learning_rate": 0.5}, 0.1)
    code, out, _ = command("import", "theirs.log", "--continue-as", "5K")
    assert code == 0, out
    rates = [params["learning_rate"] for params in queued(stores)]
    assert (rates[0], sorted(rates)) == (pytest.approx(first), pytest.approx([1e-3, 1.1e-3, 1.2e-3]))
    ours = load_study(stores, "theirs")
    assert ours.finished() == [] and ours.plan.budget == "5K"
    space = ours.plan.space()
    assert {space.decode(params).label for params in queued(stores)} == {a.label for a in architectures[:3]}
    assert all(set(TRAINING) <= set(params) for params in queued(stores))
    assert "not queued, architecture is not in the grid of 5K: 1 trials" in out
    assert "not queued, learning_rate lies outside what is searched" in out
    assert "go on with: patchscale hpo --study theirs --trials 50 --budget 5K" in out
    assert (
        "0 imported settings queued, best first, 3 were there"
        in command("import", "theirs.log", "--continue-as", "5K")[1]
    )
    assert len(queued(stores)) == 3


def test_a_study_that_is_called_as_a_lock_is_not_continued_under_that_name(theirs, home, command):
    theirs(2)
    path = home / "theirs.log"
    path.write_text(path.read_text().replace('"theirs"', '"store"'))
    code, out, err = command("import", "theirs.log", "--continue-as", "5K")
    assert (code, out, err.count("\n")) == (2, "", 1) and "got 'store'; choose another" in err
    assert json.loads(command("status", "--json")[1]) == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda theirs: theirs(2, drop=("d_ff",)), "got 2 trials whose d_ff is unknown"),
        (lambda theirs: theirs(2, drop=("d_ff", "n_heads")), "n_heads, d_ff are unknown"),
        (lambda theirs: add(theirs(0)[0], dict.fromkeys(DIMENSIONS, 8), 0.1), "not in the grid of 5K"),
    ],
)
def test_why_not_is_one_line_and_nothing_is_written(theirs, home, command, make, words):
    make(theirs)
    code, out, err = command("import", "theirs.log", "--continue-as", "5K")
    assert (code, out, err.count("\n")) == (2, "", 1) and words in err
    assert json.loads(command("status", "--json")[1]) == []


def test_what_is_no_one_study_is_not_continued(home, command):
    (home / "x.json").write_text(json.dumps([{"number": 0, "value": 0.7}]))
    code, _, err = command("import", "x.json", "--continue-as", "5K")
    assert code == 2 and "must be given one study" in err
    assert command("import", "x.json", "--continue-as", "lots")[0] == 2


@pytest.mark.slow
@pytest.mark.usefixtures("forked_workers")
def test_hpo_goes_on_with_what_was_queued(theirs, stores, command):
    theirs(2)
    command("import", "theirs.log", "--continue-as", "5K")
    asked = ("--study", "theirs", "--budget", "5K", "--trials", "8", "--workers", "1", "--max-epochs", "6")
    assert command("hpo", *asked)[0] == 0
    runs = load_study(stores, "theirs").runs("trial")
    assert sum(run.data.tags.get("forced") == "imported" for run in runs) >= 1


def test_a_trial_of_another_window_is_not_queued_and_one_of_the_grid_s_is(theirs, stores, command):
    study, _ = theirs(1)
    add(study, {**study.trials[0].params, "learning_rate": 2e-3, "context_length": 60, "stride": 5}, 0.3)
    add(study, {**study.trials[0].params, "learning_rate": 3e-3, "context_length": 20}, 0.2)
    code, out, _ = command("import", "theirs.log", "--continue-as", "5K")
    assert code == 0 and "not queued, context_length is not that of the grid, 60: 1 trials" in out
    assert [params["learning_rate"] for params in queued(stores)] == [2e-3, 1e-3]


@given(st.text(min_size=1), st.text(alphabet="ab &;'\"$?", min_size=1))
def test_the_command_that_goes_on_is_pasted_as_it_stands(ticker, folder):
    stores = {"tracking_uri": f"sqlite:////{folder}/mlflow.db", "storage": f"sqlite:////{folder}/optuna.db"}
    words = shlex.split(_options(HpoRequest(ticker=ticker, **stores)))
    assert dict(zip(words[::2], words[1::2], strict=True)) == {
        "--budget": "2M",
        "--ticker": ticker,
        "--tracking-uri": stores["tracking_uri"],
        "--storage": stores["storage"],
    }


def test_the_command_that_goes_on_shows_no_password():
    said = _options(HpoRequest(storage="postgresql://me:secret@db/optuna"))
    assert "secret" not in said
    assert "--storage" not in said
