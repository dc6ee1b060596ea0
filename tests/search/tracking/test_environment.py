import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from search.tracking.environment import (
    BACKEND,
    COUNTS,
    FLAGS,
    leave_out_foreign,
    require_readable_settings,
    settle_warnings,
)

PROJECT = Path(__file__).parents[3]


@pytest.mark.lesson("L44")
@pytest.mark.parametrize(
    ("given", "left", "named"),
    [
        (
            {"MLFLOW_REGISTRY_URI": "u", "OPTUNA_STORAGE": "s", "PATH": "p"},
            {"PATH"},
            ["MLFLOW_REGISTRY_URI", "OPTUNA_STORAGE"],
        ),
        (
            {"MLFLOW_TRACKING_URI": "u", "MLFLOW_TRACKING_TOKEN": "t"},
            {"MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN"},
            [],
        ),
        ({"MLFLOW_EXPERIMENT_NAME": "theirs"}, set(), ["MLFLOW_EXPERIMENT_NAME"]),
        ({"MLFLOW_RUN_ID": "r", "MLFLOW_EXPERIMENT_ID": "0"}, {"MLFLOW_RUN_ID"}, []),
        ({"MLFLOW_ENABLE_ASYNC_LOGGING": "true"}, set(), ["MLFLOW_ENABLE_ASYNC_LOGGING"]),
        (
            {"MLFLOW_ARTIFACTS_DESTINATION": "s3://b", "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "9"},
            {"MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT"},
            ["MLFLOW_ARTIFACTS_DESTINATION"],
        ),
        ({"MLFLOW_TRACKING_URI": "", "MLFLOW_REGISTRY_URI": ""}, set(), []),
    ],
)
def test_what_others_say_is_taken_out_and_named(given, left, named):
    assert leave_out_foreign(given) == named
    assert set(given) == left


def test_warnings_that_were_made_errors_are_so_for_this_project_alone(monkeypatch):
    monkeypatch.setattr(sys, "warnoptions", ["error"])
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("error")
        settle_warnings()
        with pytest.warns(UserWarning, match="of theirs"):
            warnings.warn_explicit("of theirs", UserWarning, "f.py", 1, module="mlflow.store")
        with pytest.raises(UserWarning):
            warnings.warn_explicit("of ours", UserWarning, "f.py", 1, module="search.tracking.run")


@pytest.mark.parametrize("switches", [["-W", "error"], []])
def test_help_is_printed_in_any_locale_and_with_warnings_as_errors(switches):
    environment = {
        "LANG": "C",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONPATH": str(PROJECT),
    }
    done = subprocess.run(
        [sys.executable, *switches, "-m", "search", "hpo", "--help"], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b"25 %" in done.stdout


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("MLFLOW_LOGGING_LEVEL", text) for text in ("LOUD", "-1", "x" * 10_000)),
        *((name, text) for name in FLAGS for text in ("maybe", "2")),
        *((name, text) for name in COUNTS for text in ("many", "nan", "9" * 5000)),
        *(("PATCHSCALE_STORE_WAIT", text) for text in ("nan", "inf", "-1", "1e300", "soon")),
    ],
)
def test_what_can_not_be_read_is_refused_by_its_name(command, monkeypatch, name, text):
    monkeypatch.setenv(name, text)
    code, _, error = command("status")
    assert code == 2
    assert error.startswith(f"error: {name} must be ")
    assert error.count("\n") == 1


def test_what_can_be_read_is_left(monkeypatch):
    good = {"MLFLOW_LOGGING_LEVEL": "debug", **dict.fromkeys(FLAGS, "True"), **dict.fromkeys(COUNTS, "7")}
    require_readable_settings(good)
    require_readable_settings({})


def test_no_window_is_needed_for_a_page(command, monkeypatch):
    monkeypatch.setenv(BACKEND, "foo")
    command("power", "--days", "0")
    assert BACKEND not in os.environ
