"""The MLproject is written from the commands."""

from pathlib import Path

from search.cli.campaign import campaign
from search.cli.hpo import hpo
from search.cli.mlproject import mlproject


def test_the_file_in_the_repository_is_what_would_be_written():
    written = (Path(__file__).parents[3] / "MLproject").read_text()
    assert written == mlproject(hpo, campaign), "python -m search.cli.mlproject writes it anew"


def test_a_flag_is_no_parameter():
    assert "dry_run" not in mlproject(campaign)
