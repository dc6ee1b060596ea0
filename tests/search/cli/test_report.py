import pytest


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("x" * 2**20)
    return path


def test_the_page_of_the_first_study_is_named_on_the_last_line(record, command, page):
    calls = record("search.report.write_report", page)
    opened = record("webbrowser.open")
    code, out, _ = command("report", "A", "B", "--resamples", "300")
    assert code == 0 and "report of A, 1.0 MiB" in out and out.splitlines()[-1] == str(page)
    (((_, studies), named),) = calls
    assert (studies, named["n_resamples"], opened) == (("A", "B"), 300, [])


def test_the_page_is_opened_if_that_was_asked(record, command, page):
    record("search.report.write_report", page)
    opened = record("webbrowser.open")
    command("report", "A", "--open")
    assert opened == [((page.as_uri(),), {})]
