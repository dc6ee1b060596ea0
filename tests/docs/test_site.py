"""The documentation: built strictly and without a network, whole, with nothing that a reader's browser would fetch."""

import json
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import nbformat
import pytest
import yaml

from docs.tools.hooks import generated, on_page_content
from docs.tools.notebook import NOTEBOOK, converted
from search.cli import cli

ROOT = Path(__file__).parents[2]
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|link(?![^>]*rel="?(?:canonical|next|prev))[^>]*?)\s[^>]*?(?:src|href)="?(https?:[^">\s]+)"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as ``make docs`` does; any warning is an error, and every connection is refused."""
    made = tmp_path_factory.mktemp("site")
    refused = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(made)],
        cwd=ROOT,
        env={**os.environ, **refused, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def words(page):
    """What a reader sees of a page."""
    return unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


@pytest.mark.slow
def test_the_reference_names_every_command_and_option_with_its_help(site):
    """It is made from the code, so this fails where the generator leaves something out."""
    said = " ".join(words(site / "reference" / "commands.html").split())

    def options(path, command):
        assert path == "patchscale data" or path in said, path
        for name, each in getattr(command, "commands", {}).items():
            yield from options(f"{path} {name}", each)
        yield from ((path, each) for each in command.params if each.param_type_name == "option")

    found = [(path, each) for path, each in options("patchscale", cli) if each.name != "version"]
    assert len(found) > 200
    assert "UNSET" not in said and "Sentinel" not in said
    for path, option in found:
        for name in (*option.opts, *option.secondary_opts):
            assert name in said, f"{path} {name}"
        assert not option.help or " ".join(option.help.split()) in said, f"{path} {option.opts[0]}"


@pytest.mark.slow
def test_the_api_pages_document_the_five_functions(site):
    page, said = (site / "api" / "index.html").read_text(encoding="utf-8"), words(site / "api" / "index.html")
    how_to = (site / "how-to" / "notebooks.html").read_text(encoding="utf-8")
    for name in ("studies", "trials", "forecasts", "load", "ask"):
        assert f'id="search.api.{name}"' in page and f'href="../api/index.html#search.api.{name}"' in how_to, name
    assert "Parameters" in said and ">>> model = api.load(" in said


def test_what_docstrings_write_for_sphinx_is_not_shown():
    assert on_page_content("as in :func:<code>ask</code>") == "as in <code>ask</code>"


@pytest.mark.slow
def test_nothing_of_a_page_comes_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    fetched = {found for page in pages for found in FETCHED.findall(page.read_text(encoding="utf-8"))}
    assert fetched == set()
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.findall(r"(?:url\(|@import\s+[\"'])[\"']?https?:", styles)


@pytest.mark.slow
def test_search_finds_what_the_pages_say(site):
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    text = " ".join(entry["text"] for entry in index["docs"])
    for said in ("--learning-rate", "stationary", "sealed", "seventeen"):
        assert said in text, said


def test_every_page_has_a_place_in_the_navigation():
    class Loader(yaml.SafeLoader):
        """Reads MkDocs' own tags as text."""

    pages = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)["nav"]

    def leaves(entry):
        if isinstance(entry, str):
            yield entry
        else:
            for each in entry.values() if isinstance(entry, dict) else entry:
                yield from leaves(each)

    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert sorted(leaves(pages)) == sorted(written | {path for path in generated() if path.endswith(".md")})


def test_the_notebook_on_the_site_holds_its_outputs_and_nothing_of_who_ran_it():
    text, pictures = converted(NOTEBOOK)
    assert "api.studies()" in text and "d8-L" in text
    assert len(pictures) == 1 and all(name in text for name in pictures)
    for trace in (str(ROOT), "/tmp/", "/root", "/home/"):
        assert trace not in NOTEBOOK.read_text(encoding="utf-8"), trace


@pytest.mark.slow
def test_the_notebook_runs_and_says_what_it_held(tmp_path, monkeypatch):
    """Every cell anew, in an empty directory; text that names no measured figure is the same."""
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    for name in ("MLFLOW_TRACKING_URI", "PATCHSCALE_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    held = nbformat.read(NOTEBOOK, as_version=4)
    ran = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(ran, timeout=1500, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for before, after in zip(held.cells, ran.cells, strict=True):
        kinds = [
            [output.output_type for output in cell.get("outputs", ()) if output.get("name") != "stderr"]
            for cell in (before, after)
        ]
        assert set(kinds[0]) == set(kinds[1]), before.source
    assert "[3/3] trial" in "".join(output.get("text", "") for output in ran.cells[1].outputs)
