import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from search.report import make_report
from search.report.layout.blocks import Figure, Section, Table, Text
from search.report.layout.page import Head, Number, Verdict, draw_pictures, render_page, unbroken

EVIL = "<script>alert(1)</script>&\"'"
MAX_BYTES = 3_000_000
WIDTHS = (1280, 400)
SEEN = """
const style = getComputedStyle(document.body);
return {
  images: [...document.images].map(
    image => [image.alt, image.complete, image.naturalWidth, image.currentSrc === image.src]),
  requests: performance.getEntriesByType('resource').map(entry => entry.name).filter(name => !name.startsWith('data:')),
  scroll: document.documentElement.scrollWidth,
  client: document.documentElement.clientWidth,
  font: parseFloat(style.fontSize),
  smallest: Math.min(...[...document.querySelectorAll('p, td, th, dd, dt, figcaption, small, .more')].map(
    element => parseFloat(getComputedStyle(element).fontSize))),
  paper: style.backgroundColor,
  wide: [...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth).length,
  anchors: [...document.querySelectorAll('nav a')].map(link => !!document.querySelector(link.getAttribute('href'))),
  scripts: document.scripts.length,
};
"""

PRINTED = """
return [...document.querySelectorAll('td small')].map(small => [
  parseFloat(getComputedStyle(small).fontSize),
  parseFloat(getComputedStyle(small.parentElement).fontSize),
  getComputedStyle(small).whiteSpace,
]);
"""


class Structure(HTMLParser):
    """Tags that are open; fails on one that is closed out of order."""

    VOID = ("meta", "link", "img", "source", "br")

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def head(**changed):
    fields = {
        "study": EVIL,
        "title": EVIL,
        "question": EVIL,
        "verdict": Verdict(answer=EVIL, reasons=(EVIL,)),
        "numbers": (Number(what=EVIL, value=EVIL, more=EVIL),),
        "cautions": (EVIL,),
        "facts": ((EVIL, EVIL),),
        "footer": EVIL,
    }
    return Head(**{**fields, **changed})


@pytest.fixture(scope="module")
def evil():
    """Every text of a page is hostile."""
    data = pd.DataFrame({"x": [1]})
    figure = Figure(
        name="f", alt=EVIL, caption=EVIL, data=data, draw=lambda canvas, palette: canvas.subplots().plot([1], [1])
    )
    table = Table(name="t", caption=EVIL, head=(EVIL, "b"), rows=((EVIL, f"1 [{EVIL}]"),), data=data)
    section = Section(slug="s", title=EVIL, short=EVIL, blocks=(Text(text=EVIL, lead=EVIL), figure, table))
    return render_page(head(), [section], draw_pictures([section]))


def test_names_are_text_not_markup(evil):
    assert "<script" not in evil
    assert evil.count("&lt;script&gt;") > 15
    structure = Structure()
    structure.feed(evil)
    assert structure.open == []
    assert all(not name.startswith("on") for _, attributes in structure.seen for name in attributes)


def test_the_page_asks_for_nothing(evil):
    addresses = re.findall(r"""(?:src|srcset|href)=["']([^"']*)""", evil)
    assert addresses and all(address.startswith(("data:", "#")) for address in addresses)
    assert "default-src 'none'" in evil
    assert not re.search(r"url\(|@import|https?://", evil)


def test_intervals_dates_and_shares_stay_on_one_line():
    text = unbroken("from 2024-01-01 on [−0.006, +0.004], p = 0.021, at +1 % & <5>")
    assert re.findall(r'<span class="whole">(.*?)</span>', text) == [
        "2024-01-01",
        "[−0.006, +0.004]",
        "p = 0.021",
        "+1 %",
    ]
    assert "&amp; &lt;5&gt;" in text


@pytest.fixture(scope="module")
def written(make_inputs, walked_inputs, tmp_path_factory):
    """A page of 50 trials, of two budgets and a walk-forward, as a file."""
    inputs, other = make_inputs(), make_inputs(budget="2K", n_trials=6)
    report = make_report([replace(inputs, walked=walked_inputs.walked), other], n_resamples=200)
    return report.write(tmp_path_factory.mktemp("page") / "reports" / "report")


@pytest.mark.slow
def test_a_page_of_fifty_trials_is_small(written):
    assert written.stat().st_size < MAX_BYTES


@pytest.mark.slow
@pytest.mark.lesson("L18")
@pytest.mark.lesson("L23")
def test_no_loss_without_the_base_rates_and_no_difference_without_the_detectable_one(written):
    heads = [re.findall(r">([^<>]+)</th>", head) for head in re.findall(r"<thead>(.*?)</thead>", written.read_text())]
    assert len(heads) >= 10
    for head in heads:
        assert "base-rate loss" in head or "log loss" not in head, head
        assert "smallest detectable" in head or "difference" not in head, head
    assert sum("log loss" in head for head in heads) >= 4
    assert sum("difference" in head for head in heads) >= 4
    html = written.read_text()
    for caption in re.findall(r"<figcaption>(.*?)</figcaption>", html, re.S):
        assert "base rate" in caption or "dotted line" in caption or not re.match(r"(Loss|Validation loss)", caption)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_whole_at_every_width(written, browser, scheme):
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    for width in WIDTHS:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        browser.get(written.as_uri())
        deadline = time.monotonic() + 1500
        seen = browser.execute_script(SEEN)
        while not all(complete for _, complete, *_ in seen["images"]) and time.monotonic() < deadline:
            time.sleep(0.1)
            seen = browser.execute_script(SEEN)
        assert len(seen["images"]) > 8
        assert all(alt and complete and pixels > 0 for alt, complete, pixels, _ in seen["images"])
        assert {is_light for *_, is_light in seen["images"]} == {scheme == "light"}
        assert seen["requests"] == []
        assert seen["scroll"] <= seen["client"] <= width
        assert seen["font"] >= 14 and seen["smallest"] >= 12
        assert all(seen["anchors"]) and len(seen["anchors"]) >= 7
        assert seen["scripts"] == 0
        assert (seen["wide"] == 0) == (width > 600)
        red = int(re.findall(r"\d+", seen["paper"])[0])
        assert red > 200 if scheme == "light" else red < 50
    assert browser.get_log("browser") == []


def test_on_paper_intervals_are_no_larger_than_values_and_whole(written, browser):
    browser.get(written.as_uri())
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    sizes = browser.execute_script(PRINTED)
    assert sizes and all(interval <= value and wrap == "nowrap" for interval, value, wrap in sizes)
