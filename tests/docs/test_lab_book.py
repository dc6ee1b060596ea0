"""The lab book: a finding a heading with its verdict, and lists that follow from the headings."""

import re

import pytest

from docs.tools.lab_book import BOOK, INDEX, VERDICTS, anchor, contents, findings, index, pages, with_contents

NAMES = [page.name for page in pages()]


def test_the_index_names_every_page():
    assert sorted(NAMES) == sorted(path.name for path in BOOK.glob("*.md") if path.name != INDEX)


@pytest.mark.parametrize("name", NAMES)
def test_a_finding_has_a_verdict_a_date_and_a_place_in_the_list(name):
    text = (BOOK / name).read_text()
    headings = findings(text)
    assert headings and len(set(map(anchor, headings))) == len(headings)
    for heading in headings:
        assert heading.split(":")[0] in VERDICTS, heading
        assert re.search(rf"^## {re.escape(heading)}\n\n20\d\d-\d\d-\d\d\n\n\S", text, re.MULTILINE), heading
    assert text == with_contents(text), "python -m docs.tools.lab_book"
    dates = re.findall(r"^(20\d\d-\d\d-\d\d)$", text, re.MULTILINE)
    assert dates == sorted(dates, reverse=True), "newest first"


@pytest.mark.parametrize("name", [INDEX, *NAMES])
def test_lines_of_the_lab_book_are_to_120(name):
    assert [line for line in (BOOK / name).read_text().splitlines() if len(line) > 120] == []


def test_the_index_lists_every_finding():
    text = (BOOK / INDEX).read_text()
    assert text == index(), "python -m docs.tools.lab_book"
    for page in pages():
        assert contents(page.read_text(), page.name) in text


def test_a_new_finding_enters_the_lists():
    page = "# T\n\n<!-- contents -->\n<!-- end of contents -->\n\n## Open: a `b` (c), d\n\n2026-11-26\n\nText.\n"
    assert "- [Open: a `b` (c), d](#open-a-b-c-d)" in with_contents(page)
    assert with_contents(with_contents(page)) == with_contents(page)
