from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.calendars import sessions
from pipeline.exceptions import DataError
from pipeline.offsets import exchange_dates

ZONES = {
    "XNYS": "America/New_York",
    "XMAD": "Europe/Madrid",
    "XTKS": "Asia/Tokyo",
    "XASX": "Australia/Sydney",
    "BVMF": "America/Sao_Paulo",
}


def taken(times, zone):
    local = times.tz_localize(None)
    offsets = local - times.tz_convert("UTC").tz_localize(None)
    return exchange_dates(pd.DatetimeIndex(local), pd.TimedeltaIndex(offsets), zone)


@pytest.mark.slow
@pytest.mark.lesson("L14")
@given(
    calendar=st.sampled_from(sorted(ZONES)),
    year=st.integers(2005, 2024),
    hours=st.sampled_from([0, 10, 16]),
    written_in=st.sampled_from(["UTC", "own", "Asia/Tokyo", "America/New_York"]),
)
def test_times_of_sessions_have_the_date_of_their_exchange_wherever_they_are_written(calendar, year, hours, written_in):
    days = sessions(calendar, pd.Timestamp(year, 2, 1).date(), pd.Timestamp(year, 12, 1).date())
    zone = ZoneInfo(ZONES[calendar])
    there = (days + pd.Timedelta(hours=hours)).tz_localize(zone, nonexistent="shift_forward")
    times = there if written_in == "own" else there.tz_convert(written_in)
    pd.testing.assert_index_equal(taken(times, zone), days, check_names=False, exact="equiv")


@pytest.mark.parametrize("calendar", sorted(ZONES))
def test_dates_to_which_somebody_attached_utc_stay_these_dates(calendar):
    days = sessions(calendar, pd.Timestamp(2018, 1, 1).date(), pd.Timestamp(2018, 12, 31).date())
    pd.testing.assert_index_equal(taken(days.tz_localize("UTC"), ZoneInfo(ZONES[calendar])), days, exact="equiv")


def test_what_trades_around_the_clock_has_days_of_utc():
    days = pd.date_range("2020-01-01", periods=9)
    pd.testing.assert_index_equal(taken(days.tz_localize("UTC"), UTC), days, check_names=False, exact="equiv")


def test_where_the_exchange_is_unknown_only_local_times_and_midnights_have_a_date():
    local = pd.DatetimeIndex(["2018-12-17 17:30"]).tz_localize("Europe/Madrid")
    assert taken(local, None)[0] == pd.Timestamp("2018-12-17")
    with pytest.raises(DataError, match="which is not known for this ticker, got 2018-12-17 16:30"):
        taken(local.tz_convert("UTC"), None)
