"""Hooks of MkDocs: pages that are made from something else, and what docstrings write for another tool."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docs.tools.notebook import NOTEBOOK, converted
from docs.tools.reference import reference

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):(?=<code>)")
"""Sphinx's way to say what a name is, which readers of the source know and MkDocs does not."""


def generated() -> dict[str, str | bytes]:
    """Return pages and pictures that no file below `docs/` holds, by their paths there."""
    text, pictures = converted(NOTEBOOK)
    return {"notebook.md": text, **pictures, "reference/commands.md": reference()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is generated."""
    from mkdocs.structure.files import File

    for path, content in generated().items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Take Sphinx's roles from in front of names."""
    return ROLE.sub("", html)
