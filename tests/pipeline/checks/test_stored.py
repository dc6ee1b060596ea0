from __future__ import annotations

import pytest

from pipeline.checks.stored import check_snapshot, report_path, snapshot_before


@pytest.mark.lesson("L16")
def test_the_whole_report_lies_beside_the_snapshot(tmp_path, save, bars):
    snapshot = save(bars.assign(volume=bars["volume"].where(bars.index.dayofyear > 40, 0.0)))
    report = check_snapshot(tmp_path, snapshot)
    assert len(report.warnings[0].items) > 10
    written = report_path(tmp_path, snapshot).read_text(encoding="utf-8")
    assert written == report.text(None) + "\n"
    assert all(item in written for item in report.warnings[0].items)


def test_the_snapshot_before_is_the_reference(tmp_path, save, bars):
    first = save(bars)
    seam = bars.copy()
    seam.iloc[:300, :5] *= 0.9974
    second = save(seam)
    save(bars * 2, source="yahoo")
    assert snapshot_before(tmp_path, first) is None
    assert snapshot_before(tmp_path, second) == first
    assert [finding.check for finding in check_snapshot(tmp_path, second).findings] == ["adjustment_seam"]
