import sqlite3
import subprocess
import sys

import pytest
from optuna.exceptions import StorageInternalError

from pipeline.exceptions import InputError, RecordError
from pipeline.snapshots.snapshot import write_atomically
from search.cli import cli

TRAINED = (
    "learning_rate weight_decay warmup_fraction dropout batch_size attention_dropout label_smoothing weight_average"
)
SURFACE = {
    "hpo": "budget d_model n_layers n_heads ff_ratio context_length patch_length stride min_head_dim tolerance trials "
    "horizon threshold source ticker train_tickers tier head accept split folds seeds sampler workers pruner timeout "
    f"seed max_epochs patience {TRAINED} offset instance_norm blend first_epoch init width_rates keep "
    "finalists study tracking_uri storage device engine address gpus_per_trial",
    "campaign": "dry_run as_json budgets horizons d_model n_layers n_heads ff_ratio context_length patch_length stride "
    "min_head_dim tolerance trials threshold source ticker train_tickers tier head accept split folds seeds sampler "
    f"workers pruner timeout seed max_epochs patience {TRAINED} offset instance_norm blend first_epoch init "
    "width_rates keep finalists tracking_uri storage device engine address gpus_per_trial",
    "baselines": "study tracking_uri storage",
    "walkforward": "what study trial seeds first_year last_year workers device engine address gpus_per_trial "
    "tracking_uri storage",
    "import": "paths kind columns objective budget source ticker tier horizon threshold split study tracking_uri "
    "storage",
    "grid": "budget tier head as_json d_model n_layers n_heads ff_ratio context_length patch_length stride "
    "min_head_dim tolerance",
    "reconcile": "study tracking_uri storage",
    "status": "as_json watch tracking_uri storage",
    "audit": "study as_json tracking_uri storage",
    "scaling": "studies resamples seed as_json tracking_uri storage",
    "supplement": "study where dry_run workers device engine address gpus_per_trial keep tracking_uri storage",
    "gc": "study keep dry_run tracking_uri storage",
    "report": "studies open_page resamples tracking_uri storage",
    "ui": "host port allow_remote tracking_uri",
    "verify": "tracking_uri storage",
    "register": "study trial seeds as_is device force tracking_uri storage",
    "promote": "model_version force tracking_uri storage",
    "rollback": "model to tracking_uri storage",
    "compare": "a b as_json tracking_uri storage",
    "evaluate": "model_version again tracking_uri storage",
    "predict": "model_version ticker horizon threshold source offline as_json tracking_uri storage",
    "power": "days folds horizon base_rate auc correlation as_json",
}


@pytest.mark.lesson("L32")
def test_the_surface_is_pinned():
    found = {name: " ".join(p.name for p in command.params) for name, command in cli.commands.items()}
    assert {name: found[name].split() for name in SURFACE} == {name: text.split() for name, text in SURFACE.items()}


def test_help_answers_in_under_a_second_because_it_imports_nothing_slow():
    probe = "import sys, search.cli; print([m for m in ('torch', 'mlflow', 'optuna', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_full_disk_below_a_store_is_said_as_the_database_says_it(command, monkeypatch):
    def fails(**how):
        try:
            raise sqlite3.OperationalError("database or disk is full")
        except sqlite3.OperationalError as error:
            raise StorageInternalError("This typically happens due to invalid data in the commit") from error

    monkeypatch.setattr(cli, "main", fails)
    code, _, error = command("status")
    assert code == 2 and error.count("\n") == 1 and "got OperationalError: database or disk is full; free spa" in error


def test_no_command_shows_the_help(command):
    _, out, _ = command()
    assert "Commands:" in out
    assert out.count("\n") > 5


@pytest.mark.lesson("L34")
@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("budget must be small"), 2, "error: budget must be small\n"),
        (RecordError("a run is not what was run"), 1, "error: a run is not what was run\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
    ],
)
def test_whatever_ends_a_command_early_is_one_line_and_its_exit_code(command, monkeypatch, error, code, said):
    def fail(*arguments, **named):
        raise error

    monkeypatch.setattr("search.evidence.power.plan_power", fail)
    ended, out, err = command("power")
    assert (ended, out, err.lstrip("\n")) == (code, "", said)


def test_our_own_mistakes_are_not_hidden(command, monkeypatch):
    def fail(*arguments, **named):
        raise AssertionError("ours")

    monkeypatch.setattr("search.evidence.power.plan_power", fail)
    with pytest.raises(AssertionError, match="ours"):
        command("power")


def occupied(home):
    (home / "data").touch()


def dangling(home):
    (home / "data").symlink_to(home / "not-mounted" / "data")


def in_a_circle(home):
    (home / "data").symlink_to(home / "data")


@pytest.mark.parametrize("place", [occupied, dangling, in_a_circle])
@pytest.mark.parametrize("words", ["hpo --budget 5K --trials 1", "data pull --source sample"])
def test_what_is_in_the_place_of_a_directory_is_named_in_one_line(home, command, place, words):
    place(home)
    code, _, error = command(*words.split())
    assert code == 2
    assert error.count("error: ") == 1
    assert "data" in error.splitlines()[-1]
    assert "Traceback" not in error


def test_a_file_is_not_written_over_a_directory(command, monkeypatch, home):
    def write(*arguments, **named):
        write_atomically(home, lambda part: part.write_text("x"))

    monkeypatch.setattr("search.evidence.power.plan_power", write)
    code, _, error = command("power")
    assert code == 2
    assert f"at {home}" in error or str(home) in error
    assert error.rstrip().endswith("move what is in its place away, or give another path")
    assert list(home.parent.glob(".*.part")) == []
