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
def test_outside_a_checkout_and_without_git_nothing_is_made_up(tags, monkeypatch):
    unknown = {"git.commit": "unknown", "git.dirty": "unknown"}
    assert tags() == unknown
    monkeypatch.setenv("PATH", "")
    assert tags() == unknown
