import pandas as pd
import pytest

from search.report.layout.blocks import Table


def test_a_table_whose_rows_do_not_fit_its_head_is_our_mistake():
    with pytest.raises(AssertionError):
        Table(name="t", caption="", head=("a", "b"), rows=(("1",),), data=pd.DataFrame())
