from __future__ import annotations

import platform
import sys
from pathlib import Path

import psutil
import pytest

from model.training import host_memory


def test_free_memory_is_within_the_containers_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(host_memory, "LIMITS", tmp_path)
    free = host_memory.available()
    assert 0 < free <= psutil.virtual_memory().total
    (tmp_path / "memory.max").write_text("5000")
    (tmp_path / "memory.current").write_text("1000")
    assert host_memory.available() == 4000
    (tmp_path / "memory.max").write_text("max")
    assert host_memory.available() > 4000


def test_what_the_system_does_not_say_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    host_memory.start_peak()
    assert host_memory.in_use() is None and host_memory.peak() is None


def test_the_processor_has_a_name_or_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert host_memory.processor()
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "flags : fpu")
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    assert host_memory.processor() == "arm"
    for name in ("processor", "machine"):
        monkeypatch.setattr(platform, name, lambda: "")
    assert host_memory.processor() == "unknown"
