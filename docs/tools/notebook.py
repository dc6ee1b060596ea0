"""The notebook of `docs/tutorial.ipynb` as a page, with the outputs that it holds."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import CoalesceStreamsPreprocessor

NOTEBOOK = Path(__file__).parents[1] / "tutorial.ipynb"
OF_PANDAS = re.compile(r' border="1" class="dataframe"|<style scoped>.*?</style>\n?', re.DOTALL)
"""What pandas adds to its tables, which here are to look like the others."""


def converted(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, and its pictures by name; nothing is run."""
    notebook, _ = CoalesceStreamsPreprocessor(enabled=True).preprocess(nbformat.read(path, as_version=4), {})
    text, resources = MarkdownExporter(exclude_input_prompt=True).from_notebook_node(notebook)
    return OF_PANDAS.sub("", text).replace("<td>", '<td class="whole">'), dict(resources.get("outputs", {}))
