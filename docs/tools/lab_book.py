"""Writes the lab book's tables of contents from its headings: `python -m docs.tools.lab_book`.

A finding is a heading of the second level that starts with its verdict; where it stands in the lists follows.
"""

import re
import sys
from pathlib import Path

BOOK = Path(__file__).parents[1] / "log"
INDEX = "index.md"
VERDICTS = ("Kept", "Dropped", "Open")
START, END = "<!-- contents -->", "<!-- end of contents -->"


def pages(book: Path = BOOK) -> list[Path]:
    """Return the pages of findings, in the order in which the index names them."""
    named = re.findall(r"^## \[.+\]\((\w+\.md)\)$", (book / INDEX).read_text(), re.MULTILINE)
    return [book / name for name in named]


def findings(text: str) -> list[str]:
    """Return a page's headings of the second level."""
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


def anchor(heading: str) -> str:
    """Return the name by which GitHub and the site link to a heading.

    Examples
    --------
    >>> anchor("Kept: Ray's share of a trial")
    'kept-rays-share-of-a-trial'
    """
    return re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())


def contents(text: str, page: str = "") -> str:
    """Return the list of a page's findings, as links to them."""
    return "\n".join(f"- [{heading}]({page}#{anchor(heading)})" for heading in findings(text))


def with_contents(text: str) -> str:
    """Return a page with the list of its findings."""
    return _between_marks(text, contents(text))


def index(book: Path = BOOK) -> str:
    """Return the index with the findings of each page below the page's name."""
    head, *parts = re.split(r"^(?=## \[)", (book / INDEX).read_text(), flags=re.MULTILINE)
    listed = (contents(page.read_text(), page.name) for page in pages(book))
    return head + "".join(map(_between_marks, parts, listed))


def _between_marks(text: str, listed: str) -> str:
    before, rest = text.split(START, 1)
    return f"{before}{START}\n\n{listed}\n\n{END}{rest.split(END, 1)[1]}"


def main() -> None:
    """Write every list anew."""
    for page in pages():
        page.write_text(with_contents(page.read_text()))
    (BOOK / INDEX).write_text(index())


if __name__ == "__main__":
    sys.exit(main())
