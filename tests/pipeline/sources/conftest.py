"""Recorded answers in the form of Yahoo's chart service (the numbers are made up), behind yfinance's own HTTP layer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yfinance.cache
import yfinance.data
from curl_cffi.requests import Response, Session

RECORDED = Path(__file__).parent.parent / "recorded"


def answer(status: int, content: bytes) -> Response:
    response = Response()
    response.status_code = status
    response.content = content
    response.ok = status < 400
    return response


def recorded(name: str, status: int = 200) -> Response:
    return answer(status, (RECORDED / name).read_bytes())


class RecordedSession(Session):
    """A session of the kind yfinance uses, which answers from a table instead of the network.

    ``charts`` maps a symbol to a queue of answers or exceptions; the last one repeats.
    """

    def __init__(self, charts: dict[str, list[Response | Exception]]) -> None:
        super().__init__()
        self.charts = charts
        self.asked: list[str] = []

    def request(self, method: Any, url: str, **kwargs: Any) -> Response:  # type: ignore[override]
        self.asked.append(url)
        if "/v8/finance/chart/" not in url:
            if "quoteSummary" in url:
                return recorded("summary_not_found.json", 404)
            return answer(200, b"crumb" if "getcrumb" in url else b"")
        queue = self.charts[url.rsplit("/", 1)[1]]
        result = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(result, Exception):
            raise result
        return result

    def get(self, url: str, **kwargs: Any) -> Response:  # type: ignore[override]
        return self.request("GET", url, **kwargs)

    def post(self, url: str, **kwargs: Any) -> Response:  # type: ignore[override]
        return self.request("POST", url, **kwargs)


@dataclass
class Yahoo:
    """Opens sources over recorded answers, and remembers their waits."""

    waits: list[float] = field(default_factory=list)
    sessions: list[RecordedSession] = field(default_factory=list)

    def open(self, *, now: str = "2024-03-16T00:00+00:00", **charts: Any) -> Any:
        from datetime import datetime

        from pipeline.sources.yahoo import YahooSource

        symbols = {"INDEX": "^TEST"}
        session = RecordedSession({symbols.get(name, name): list(queue) for name, queue in charts.items()})
        self.sessions.append(session)
        return YahooSource(session, sleep=self.waits.append, now=lambda: datetime.fromisoformat(now))


@pytest.fixture
def yahoo(monkeypatch: pytest.MonkeyPatch) -> Yahoo:
    """yfinance without its caches on disk and without what an earlier test left in its one shared object."""
    monkeypatch.setattr(yfinance.cache._TzCacheManager, "_tz_cache", yfinance.cache._TzCacheDummy())
    monkeypatch.setattr(yfinance.cache._CookieCacheManager, "_Cookie_cache", yfinance.cache._CookieCacheDummy())
    monkeypatch.setattr(yfinance.data.SingletonMeta, "_instances", {})
    return Yahoo()


@pytest.fixture
def recorded_answer() -> Callable[..., Response]:
    return recorded


@pytest.fixture(name="answer")
def answer_fixture() -> Callable[..., Response]:
    return answer


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A directory of CSV files in Yahoo's form, with the same made-up bars."""
    directory = tmp_path / "market"
    directory.mkdir()
    for name, stem in (("chart_etf", "TEST"), ("chart_index", "INDEX")):
        result = json.loads((RECORDED / f"{name}.json").read_text())["chart"]["result"][0]
        quote, adjusted = result["indicators"]["quote"][0], result["indicators"]["adjclose"][0]["adjclose"]
        days = [f"2024-03-{day}" for day in (11, 12, 13, 14, 15)]
        rows = zip(
            days, *(quote[key] for key in ("open", "high", "low", "close")), adjusted, quote["volume"], strict=True
        )
        lines = ["Date,Open,High,Low,Close,Adj Close,Volume", *(",".join(map(str, row)) for row in rows)]
        (directory / f"{stem}.csv").write_text("\n".join(lines) + "\n")
    return directory
