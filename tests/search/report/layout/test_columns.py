import pandas as pd
import pytest

from search.evidence import Interval
from search.report.layout.columns import (
    DIFFERENCE_CELLS,
    difference_columns,
    interval,
    interval_columns,
    make_table,
    text,
)
from search.report.layout.format import NOT_APPLICABLE

DIFFERENCE = {"value": -0.0123, "low": -0.02, "high": 0.001, "p_value": 0.04, "detectable": 0.03}


def test_the_cell_of_an_interval_shows_what_its_columns_hold():
    columns = interval_columns("auc", Interval(value=0.61, low=0.55, high=0.67))
    assert columns == {"auc": 0.61, "auc_low": 0.55, "auc_high": 0.67}
    cell = interval("auc", 2)(columns)
    assert cell.index("0.61") < cell.index("0.55") < cell.index("0.67")


@pytest.mark.lesson("L3")
def test_where_nothing_is_compared_columns_are_empty_and_cells_are_dashes():
    columns = difference_columns(None)
    assert set(columns) == {f"difference_{name}" for name in DIFFERENCE} and pd.Series(columns).isna().all()
    assert [write(columns) for write in DIFFERENCE_CELLS.values()] == [NOT_APPLICABLE, NOT_APPLICABLE]


def test_a_difference_shows_its_sign_its_interval_and_what_could_be_seen():
    row = {f"difference_{name}": value for name, value in DIFFERENCE.items()}
    shown, detectable = (write(row) for write in DIFFERENCE_CELLS.values())
    assert "0.0123" in shown and "0.0200" in shown and "+0.0010" in shown
    assert detectable == "0.0300"


def test_rows_of_baselines_are_found_by_their_place():
    frame = pd.DataFrame({"role": ["trial", "baseline", "trial", "baseline"]}, index=[9, 8, 7, 6])
    assert make_table("t", "", {"role": text("role")}, frame).marked == {1, 3}
