import pandas as pd
import pytest

from pipeline.exceptions import RecordError
from search.folds.forecast import Outcome
from search.folds.kept import FOLDS, forget_folds, keep_outcome, keep_table, kept_outcomes, kept_table


@pytest.fixture
def kept(make_study):
    study = make_study(1)
    run_id = study.start_run("x", role="work").run_id
    outcome = Outcome(n_epochs=3, seconds=0.1, p=(0.1, 1 / 3), figures={"attention/entropy": 2 / 3})
    keep_outcome(study.client, run_id, "2016-seed0", outcome)
    return study.client, run_id, outcome


def test_what_is_kept_comes_back_to_the_last_bit_and_a_file_that_was_cut_off_is_none(kept):
    client, run_id, outcome = kept
    client.log_text(run_id, '{"n_epochs": 3, "sec', f"{FOLDS}/2016-seed1.json")
    client.log_text(run_id, "[]", f"{FOLDS}/2016-seed2.json")
    assert kept_outcomes(client, run_id) == {"2016-seed0": outcome}


def test_an_outcome_of_an_older_record_has_no_figures():
    assert Outcome.from_dict({"n_epochs": 1, "seconds": 2, "p": [0.5]}) == Outcome(n_epochs=1, seconds=2.0, p=(0.5,))


def test_a_table_is_no_outcome_and_lost_once_it_is_forgotten(kept):
    client, run_id, outcome = kept
    table = pd.DataFrame({"p": [0.1, 1 / 3]})
    keep_table(client, run_id, "2016-seed0", table)
    assert kept_table(client, run_id, "2016-seed0").equals(table)
    assert kept_outcomes(client, run_id) == {"2016-seed0": outcome}
    forget_folds(client, run_id)
    assert kept_outcomes(client, run_id) == {}
    with pytest.raises(RecordError, match=f"must keep {FOLDS}/2016-seed0.parquet"):
        kept_table(client, run_id, "2016-seed0")
