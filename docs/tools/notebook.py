"""A hook of MkDocs: the notebook of `docs/tutorial.ipynb` as a page, with the outputs that it holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbconvert import MarkdownExporter

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

NOTEBOOK = Path(__file__).parents[1] / "tutorial.ipynb"
PAGE = "notebook.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page and the pictures of its outputs."""
    from mkdocs.structure.files import File

    text, pictures = converted(NOTEBOOK)
    files.append(File.generated(config, PAGE, content=text))
    for name, content in pictures.items():
        files.append(File.generated(config, name, content=content))
    return files


def converted(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, and its pictures by name; nothing is run."""
    notebook = nbformat.read(path, as_version=4)
    text, resources = MarkdownExporter(exclude_input_prompt=True).from_notebook_node(notebook)
    return text, dict(resources.get("outputs", {}))
