import gzip
import hashlib
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

import optuna
import pytest

from pipeline.exceptions import InputError
from search.legacy.parse.optuna_storage import is_journal, is_sqlite
from search.legacy.record.importer import parse_files
from search.legacy.recover.column_map import read_map

OLD = Path(__file__).with_name("optuna_2_10.sql")


def objective(trial):
    trial.suggest_categorical("heads", [2, 4, 8])
    trial.suggest_int("n_layers", 2, 8)
    trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True)
    trial.suggest_categorical("activation", ["relu", "gelu"])
    trial.set_user_attr("val_auc", 0.7 + trial.number / 100)
    trial.set_user_attr("machine", {"cores": 2})
    for step in (0, 5):
        trial.report(0.5 - step / 100, step)
    if trial.number == 1:
        raise optuna.TrialPruned
    if trial.number == 2:
        raise ValueError("boom")
    return float("inf") if trial.number == 3 else 0.3 + trial.number / 10


def storage_of(path, kind):
    if kind == "journal":
        return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    return optuna.storages.RDBStorage(f"sqlite:///{path}")


@pytest.fixture(params=["sqlite", "journal"])
def stored(request, tmp_path):
    """A storage of one study: complete, pruned, failed, infinite, complete, running, waiting."""
    path = tmp_path / ("study.db" if request.param == "sqlite" else "journal.log")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(
            study_name="theirs_2M_h1", storage=storage_of(path, request.param), sampler=optuna.samplers.RandomSampler(0)
        )
        study.set_user_attr("ticker", "SPY")
        study.optimize(objective, n_trials=5, catch=(ValueError,))
        study.ask()
        study.enqueue_trial({"heads": 8})
    return path


def digest(path):
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in path.parent.iterdir()}


def test_everything_that_optuna_recorded_is_read_and_nothing_is_written(stored):
    before = digest(stored)
    [(source, report)] = parse_files([stored], columns=read_map(["n_heads=heads"]))
    assert digest(stored) == before
    assert (source.kind, len(report.trials)) == ("optuna", 7)
    complete, pruned, failed, infinite, last, running, waiting = report.trials
    assert [t.outcome.status for t in report.trials] == [
        "FINISHED",
        "KILLED",
        "FAILED",
        "FAILED",
        "FINISHED",
        "KILLED",
        "KILLED",
    ]
    assert (pruned.outcome.reason, failed.outcome.value) == ("pruned", None)
    assert running.outcome.reason.startswith("unfinished") and waiting.outcome.reason.startswith("unfinished")
    assert (complete.outcome.value, last.outcome.value, infinite.outcome.value_text) == (0.3, 0.7, "inf")
    assert complete.architecture.n_heads in (2, 4, 8) and complete.architecture.d_model is None
    assert set(complete.settings) == {"activation"} and set(complete.training) == {"learning_rate"}
    assert complete.curves == {"intermediate": {0: 0.5, 5: 0.45}}
    assert (complete.figures["best/roc_auc"], complete.notes["attr.machine"]) == (0.7, '{"cores": 2}')
    assert (complete.direction, complete.study, complete.budget) == ("minimize", "theirs_2M_h1", None)
    assert complete.started is not None and complete.started <= complete.ended
    assert report.about == {"theirs_2M_h1": {"legacy.direction": "minimize", "legacy.attr.ticker": "SPY"}}
    assert "system attribute fixed_params" in report.homeless


def test_both_kinds_of_storage_are_known_whatever_they_are_called(stored, tmp_path):
    renamed = stored.rename(tmp_path / "renamed.bin")
    assert is_sqlite(renamed) != is_journal(renamed)
    assert len(parse_files([renamed])[0][1].trials) == 7
    if is_journal(renamed):
        packed = tmp_path / "journal.log.gz"
        packed.write_bytes(gzip.compress(renamed.read_bytes()))
        assert len(parse_files([packed])[0][1].trials) == 7


@pytest.mark.slow
def test_a_database_that_somebody_writes_to_is_read_as_it_is(stored):
    if not is_sqlite(stored):
        return
    with closing(sqlite3.connect(stored)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("UPDATE studies SET study_name = 'renamed'")
        other.commit()
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE studies SET study_name = 'half done'")
        assert {trial.study for trial in parse_files([stored])[0][1].trials} == {"renamed"}


def test_an_older_schema_is_read_and_left_as_it_is(tmp_path):
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as made:
        made.executescript(OLD.read_text())
    before = digest(path)
    complete, pruned = parse_files([path])[0][1].trials
    assert digest(path) == before
    assert (complete.outcome.value, complete.architecture.d_model, pruned.outcome.reason) == (0.3, 128, "pruned")
    assert complete.training == {"learning_rate": 8.072307884499753e-05, "dropout": 0.07337794540855652}
    assert complete.curves == {"intermediate": {0: 0.5, 1: 0.4, 2: 0.3}}


@pytest.mark.parametrize(
    ("names", "kind"), [(["val_loss"], "loss"), (["val_auc"], "roc_auc"), (["score"], "unknown"), (None, "unknown")]
)
def test_a_value_is_called_what_the_study_calls_it(tmp_path, names, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(storage=storage_of(tmp_path / "j.log", "journal"), direction="maximize")
        if names:
            study.set_metric_names(names)
        study.add_trial(optuna.trial.create_trial(value=0.7))
    [(_, report)] = parse_files([tmp_path / "j.log"], objective="minimize")
    assert (report.trials[0].outcome.objective, report.trials[0].direction) == (kind, "maximize")
    assert "--objective minimize was not used" in report.notes[0]


def test_several_objectives_are_metrics_and_none_is_the_result(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(
            storage=storage_of(tmp_path / "j.log", "journal"), directions=["minimize", "maximize"]
        )
        study.add_trial(optuna.trial.create_trial(values=[0.3, 0.7]))
    [trial] = parse_files([tmp_path / "j.log"])[0][1].trials
    assert (trial.outcome.status, trial.outcome.value, trial.direction) == ("FINISHED", None, "")
    assert trial.figures == {"objective_0": 0.3, "objective_1": 0.7}
    assert trial.notes["directions"] == "minimize maximize"


def test_a_value_of_100_is_no_mark_of_another_study(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(storage=storage_of(tmp_path / "j.log", "journal"))
        study.add_trial(optuna.trial.create_trial(value=100.0))
    assert parse_files([tmp_path / "j.log"])[0][1].trials[0].outcome.status == "FINISHED"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda path: sqlite3.connect(path).execute("CREATE TABLE t (x)").connection.commit(),
            "with the tables studies and",
        ),
        (
            lambda path: sqlite3.connect(path).executescript("CREATE TABLE experiments (x); CREATE TABLE runs (x);"),
            "needs no import",
        ),
        (lambda path: path.write_bytes(b"SQLite format 3\0" + b"x" * 200), "take a whole copy of it"),
        (lambda path: path.write_text('{"op_code": 0}\n{"op_code": 99}\n'), "take a whole copy of it"),
        (lambda path: storage_of(path, "sqlite"), "must hold a study"),
    ],
    ids=["another database", "MLflow's", "damaged database", "damaged journal", "no study"],
)
def test_what_optuna_cannot_read_is_refused_in_one_line(tmp_path, make, words):
    make(tmp_path / "x.db")
    with pytest.raises(InputError, match=words) as refused:
        parse_files([tmp_path / "x.db"])
    assert "\n" not in str(refused.value)


def test_a_map_names_what_is_there(stored):
    with pytest.raises(InputError, match="nearest: heads"):
        parse_files([stored], columns=read_map(["n_heads=head"]))
