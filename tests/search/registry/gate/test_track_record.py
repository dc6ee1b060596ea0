import numpy as np
import pandas as pd
import pytest

from pipeline.exceptions import InputError
from search.registry.gate.track_record import TrackRecord, common_days, stored_track_record


def track_record(first, periods, *, name="m/1", y=None, p=0.3):
    dates = pd.bdate_range(first, periods=periods)
    outcomes = (np.arange(periods) % 4 == 0).astype(float) if y is None else y
    return TrackRecord(name=name, source="", horizon=1, dates_D=dates, y_D=outcomes, p_D=np.full(periods, p))


def test_only_days_that_both_forecast_are_common():
    a, b = track_record("2020-01-01", 100, p=0.1), track_record("2020-01-29", 100, p=0.2)
    common = common_days(a, b)
    assert (common.dates_D[0], len(common.y_D)) == (pd.Timestamp("2020-01-29"), 80)
    assert set(common.p_a_D) == {0.1} and set(common.p_b_D) == {0.2}
    assert len(common_days(a, track_record("2030-01-01", 5)).y_D) == 0


def test_a_restated_outcome_is_left_out_and_many_are_refused():
    a = track_record("2020-01-01", 200)
    turned = a.y_D.copy()
    turned[:2] = 1 - turned[:2]
    common = common_days(a, track_record("2020-01-01", 200, y=turned))
    assert (common.left_out, len(common.y_D)) == (2, 198)
    turned[2] = 1 - turned[2]
    with pytest.raises(InputError, match=r"got 3 of 200 that differ between m/1 and m/2"):
        common_days(a, track_record("2020-01-01", 200, y=turned, name="m/2"))


def test_a_stored_track_record_reads_back_and_a_foreign_table_is_refused():
    a = track_record("2020-01-01", 10)
    again = stored_track_record(a.frame(), name="m/1", source="", horizon=1)
    assert again.dates_D.equals(a.dates_D) and (again.p_D == a.p_D).all() and (again.y_D == a.y_D).all()
    with pytest.raises(InputError, match="missing p"):
        stored_track_record(a.frame().drop(columns="p"), name="m/1", source="", horizon=1)
