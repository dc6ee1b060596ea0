import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exceptions import StoreError
from search.study.study import load_study
from search.study.study_names import nearest, study_names
from search.tracking.stores import open_storage

NAMES = st.text("SPYQ-h135M_.", min_size=1, max_size=12)


@given(NAMES, st.lists(NAMES, unique=True, max_size=8))
def test_a_name_that_is_there_comes_first_and_none_is_lost(name, others):
    names = [*{*others, name}]
    found = nearest(name, names)
    assert found[0].lower() == name.lower() and sorted(found) == sorted(names)


@pytest.mark.slow
def test_a_wrong_name_is_answered_with_the_studies_there_are(stores, make_study):
    with pytest.raises(StoreError, match="got 'SPY', and there is none yet; patchscale hpo makes one"):
        load_study(stores, "SPY")
    for number in range(7):
        make_study(1, study=f"SPY-h{number}")
    with pytest.raises(StoreError, match=r"got 'spy-h3'; there are SPY-h3, .* and 2 more, see patchscale status"):
        load_study(stores, "spy-h3")
    assert len(study_names(open_storage(stores))) == 7
