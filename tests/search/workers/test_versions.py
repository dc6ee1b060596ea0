import platform
import shutil
from pathlib import Path

import pytest

from search.workers import versions
from search.workers.versions import code_digest, difference, own_versions


@pytest.mark.lesson("L9")
def test_versions_name_python_the_libraries_and_the_code_itself():
    own = own_versions()
    assert own["Python"] == platform.python_version() and {"torch", "numpy", "code"} <= own.keys()
    assert difference(own, own) == ""
    other = {**own, "Python": "3.9.0"}
    assert difference(other, own) == f"Python 3.9.0, here {own['Python']}"
    del other["torch"]
    assert f"torch unknown, here {own['torch']}" in difference(other, own)
    assert "jax 1, here unknown" in difference({**own, "jax": "1"}, own)


@pytest.mark.lesson("L9")
def test_the_digest_is_of_every_source_file_wherever_it_lies(tmp_path, monkeypatch):
    root = Path(versions.__file__).parents[2]
    for package in versions.PACKAGES:
        shutil.copytree(root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(versions, "__file__", str(tmp_path / "search" / "workers" / "versions.py"))
    assert code_digest.__wrapped__() == code_digest()
    path = tmp_path / "model" / "metrics.py"
    path.write_text(path.read_text() + "\n")
    assert code_digest.__wrapped__() != code_digest()
