import os
import subprocess

import pytest

from search.tracking import provenance


@pytest.fixture
def tags(tmp_path, monkeypatch):
    """The tags of code that lies in a directory of the test's own."""
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "code.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return provenance.code_tags.__wrapped__


@pytest.fixture
def checkout(tmp_path):
    """A commit of one file, and its hash."""
    (tmp_path / "code.py").write_text("first\n")
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    for arguments in (("init", "-q"), ("add", "code.py"), (*identity, "commit", "-q", "-m", "m")):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True)
    return head.stdout.strip()


@pytest.mark.lesson("L9")
def test_the_commit_is_named_and_a_change_to_it_is_said(tags, checkout, tmp_path):
    assert tags() == {"git.commit": checkout, "git.dirty": "false"}
    (tmp_path / "code.py").write_text("second\n")
    assert tags() == {"git.commit": checkout, "git.dirty": "true"}


@pytest.mark.lesson("L9")
def test_what_is_not_tracked_changes_no_code_and_no_shell_s_repository_is_taken_for_this(
    tags, checkout, tmp_path, monkeypatch
):
    (tmp_path / "bars").mkdir()
    (tmp_path / "bars" / "SPY.csv").write_text("Date\n", encoding="utf-8")
    (tmp_path / ".venv").symlink_to(tmp_path / "bars")
    assert tags() == {"git.commit": checkout, "git.dirty": "false"}
    other = tmp_path / "bars" / "other"
    other.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=other, check=True)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert tags() == {"git.commit": checkout, "git.dirty": "false"}


@pytest.mark.lesson("L9")
def test_a_checkout_that_only_holds_the_code_s_directory_is_not_the_code_s(tags, checkout, tmp_path, monkeypatch):
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "code.py").write_text("installed", encoding="utf-8")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "site-packages" / "code.py"))
    assert tags()["git.commit"] == "unknown"


def test_who_started_it_is_said_as_mlflow_s_own_clients_do(monkeypatch):
    said = provenance.user_tags.__wrapped__()
    assert said["mlflow.user"] and said["mlflow.source.name"] and said["mlflow.source.type"] == "LOCAL"
    monkeypatch.setattr("getpass.getuser", lambda: (_ for _ in ()).throw(KeyError("no name")))
    assert provenance.user_tags.__wrapped__() == {"mlflow.user": str(os.getuid())}


@pytest.mark.lesson("L9")
def test_outside_a_checkout_and_without_git_nothing_is_made_up(tags, monkeypatch):
    unknown = {"git.commit": "unknown", "git.dirty": "unknown"}
    assert tags() == unknown
    monkeypatch.setenv("PATH", "")
    assert tags() == unknown
