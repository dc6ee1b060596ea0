from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pytest

from pipeline.bars import COLUMNS, PRICES, content_hash
from pipeline.checks.stored import snapshot_before
from pipeline.exceptions import DataError
from pipeline.snapshots.pull import RELATIVE_TOLERANCE, Change, compare, pull
from pipeline.snapshots.snapshot import latest_snapshots, list_snapshots, load_snapshot
from pipeline.sources import Download

DIVIDEND = 0.9974


def scaled(bars: pd.DataFrame, factor: float, columns: tuple[str, ...], rows: slice = slice(None)) -> pd.DataFrame:
    changed = bars.copy()
    changed.iloc[rows, [changed.columns.get_loc(name) for name in columns]] *= factor
    return changed


def test_the_same_bars_are_unchanged(bars):
    refresh = compare(bars.iloc[:-10], bars)
    assert (refresh.change, refresh.overlap, refresh.new_sessions) == (Change.UNCHANGED, len(bars) - 10, 10)
    assert refresh.text().startswith("unchanged: 690 sessions compared, 10 new")


def test_rounding_is_no_change(bars):
    assert compare(bars, scaled(bars, 1 + RELATIVE_TOLERANCE / 2, COLUMNS)).change is Change.UNCHANGED


@pytest.mark.lesson("L13")
def test_a_dividend_restates_the_adjusted_closes_before_it(bars):
    ex_row = len(bars) - 4
    after = scaled(bars, DIVIDEND, ("adj_close",), slice(0, ex_row))
    refresh = compare(bars.iloc[: ex_row - 3], after)
    assert refresh.change is Change.RESTATED
    assert refresh.factor == pytest.approx(DIVIDEND)
    assert refresh.price_factor == 1.0
    assert refresh.effective == bars.index[ex_row].date()
    assert refresh.restated_through == bars.index[ex_row - 4].date()
    assert "a dividend, effective" in refresh.text()


def test_a_dividend_inside_the_overlap_has_its_date(bars):
    refresh = compare(bars, scaled(bars, DIVIDEND, ("adj_close",), slice(0, 500)))
    assert refresh.change is Change.RESTATED
    assert refresh.effective == bars.index[500].date()


def test_a_split_restates_prices_and_volume(bars):
    after = scaled(scaled(bars, 0.25, (*PRICES, "adj_close")), 4, ("volume",))
    refresh = compare(bars.iloc[:-5], after)
    assert refresh.change is Change.RESTATED
    assert (refresh.factor, refresh.price_factor) == (pytest.approx(0.25), pytest.approx(0.25))
    assert "a split" in refresh.text()


def test_a_series_that_comes_adjusted_is_restated_as_a_whole(bars):
    refresh = compare(bars.iloc[:-5], scaled(bars, DIVIDEND, (*PRICES, "adj_close")))
    assert refresh.change is Change.RESTATED
    assert refresh.price_factor == pytest.approx(DIVIDEND)


@pytest.mark.lesson("L13")
def test_two_bases_in_one_history_are_no_restatement(bars):
    """The seam of rows that somebody appended: prices before it restated by 0.26 %, later ones by 0.5 %."""
    seam = scaled(scaled(bars, DIVIDEND, ("adj_close",), slice(0, 300)), 0.995, ("adj_close",), slice(300, 650))
    refresh = compare(bars, seam)
    assert refresh.change is Change.CHANGED
    assert len(refresh.rows) == 650


@pytest.mark.lesson("L16")
def test_one_changed_value_is_itemised(make_bars):
    """As Yahoo's close of ^VIX on 2026-02-06, where the exchange says otherwise: only another source tells."""
    bars = make_bars(60, start="2026-01-02")
    day = pd.Timestamp("2026-02-06")
    exchange, yahoo = bars.copy(), bars.copy()
    exchange.loc[day, ["close", "adj_close"]] = 17.76
    yahoo.loc[day, ["close", "adj_close"]] = 20.37
    refresh = compare(yahoo, exchange)
    assert refresh.change is Change.CHANGED
    assert [str(row) for row in refresh.rows] == [
        "2026-02-06 close: 20.37 -> 17.76",
        "2026-02-06 adj_close: 20.37 -> 17.76",
    ]
    assert "2026-02-06 close: 20.37 -> 17.76" in refresh.text()


def test_sessions_that_vanish_or_appear_are_itemised(bars):
    refresh = compare(bars.drop(bars.index[7]), bars.drop(bars.index[3]))
    assert refresh.change is Change.CHANGED
    assert [(row.day, row.before is None, row.after is None) for row in refresh.rows] == [
        (bars.index[3].date(), False, True),
        (bars.index[7].date(), True, False),
    ]
    assert "absent" in str(refresh.rows[0])


def test_long_lists_are_cut_in_the_text_only(bars):
    refresh = compare(bars, scaled(bars, 1.5, ("open",)).iloc[::2])
    assert "more" in refresh.text()
    assert len(refresh.text(None).splitlines()) == len(refresh.rows) + 1


def test_without_a_common_session_there_is_nothing_to_compare(bars):
    with pytest.raises(DataError, match="must share sessions"):
        compare(bars.iloc[:10], bars.iloc[10:])


@dataclass
class Given:
    """A source that answers with what it is given."""

    bars: pd.DataFrame
    name: str = "csv"
    default_ticker: str = "SPY"

    def fetch(self, ticker: str) -> Download:
        return Download(ticker=ticker, bars=self.bars, adjusted=False, library="test 1.0")


@pytest.mark.lesson("L13")
def test_a_pull_stores_one_basis_and_keeps_the_old_one(tmp_path, bars):
    old = bars.iloc[:-20]
    restated = scaled(bars, DIVIDEND, ("adj_close",), slice(0, len(bars) - 10))
    first, none = pull(tmp_path, Given(old), "SPY")
    second, refresh = pull(tmp_path, Given(restated), "SPY")
    assert none is None
    assert refresh is not None and refresh.change is Change.RESTATED
    pd.testing.assert_frame_equal(load_snapshot(tmp_path, first), old, check_freq=False)
    pd.testing.assert_frame_equal(load_snapshot(tmp_path, second), restated, check_freq=False)


def test_pulling_the_same_again_stores_nothing(tmp_path, bars):
    first, _ = pull(tmp_path, Given(bars), "SPY")
    again, refresh = pull(tmp_path, Given(bars), "SPY")
    assert again == first and refresh is not None and refresh.change is Change.UNCHANGED
    assert len(list(list_snapshots(tmp_path))) == 1


def test_other_sources_are_not_compared(tmp_path, bars):
    pull(tmp_path, Given(bars), "SPY")
    assert pull(tmp_path, Given(bars * 2, name="yahoo"), "SPY")[1] is None


@pytest.mark.lesson("L13")
def test_the_last_pull_is_the_newest_whatever_was_seen_before(tmp_path, bars):
    """A source that answers A, a faulty B, then A again: B is not what stands."""
    faulty = scaled(bars, 1.5, ("high",), slice(10, 11))
    for turn, answer in enumerate((bars, faulty, bars, faulty, bars)):
        snapshot, refresh = pull(tmp_path, Given(answer), "SPY")
        assert latest_snapshots(tmp_path)["SPY"] == snapshot
        assert turn == 0 or (refresh is not None and refresh.change is Change.CHANGED)
    before = snapshot_before(tmp_path, snapshot)
    assert before is not None and before.digest == content_hash(faulty)
    assert len(list(list_snapshots(tmp_path))) == 2
