from hypothesis import given
from hypothesis import strategies as st

from search.legacy.parse.table_columns import Columns, Row, flatten
from search.legacy.recover.column_map import ColumnMap, read_map

NAMES = [
    "trial_id",
    "training_iteration",
    "config/lr",
    "params_d_model",
    "user_attrs_note",
    "val_f1",
    "host",
    "value",
    "mine",
]


def test_each_column_has_one_place_and_what_the_user_says_goes_first():
    columns = Columns.of(NAMES, read_map(["n_heads=mine", "value=val_f1"]))
    assert (columns.form, columns.roles) == ("ray", {"id": "trial_id", "step": "training_iteration"})
    assert columns.params == {"config/lr": "lr", "params_d_model": "d_model", "mine": "n_heads"}
    assert (columns.attributes, columns.values) == ({"user_attrs_note": "note"}, ["val_f1"])
    assert list(columns.homeless) == ["host", "value"]


@given(st.lists(st.sampled_from(NAMES) | st.text(max_size=5), unique=True))
def test_no_column_is_lost(names):
    columns = Columns.of(names, ColumnMap())
    placed = [
        *columns.roles.values(),
        *columns.params,
        *columns.attributes,
        *columns.metrics,
        *columns.values,
        *columns.homeless,
    ]
    assert sorted(placed) == sorted(names)


def test_rows_of_an_id_are_a_trial_and_the_last_that_says_a_thing_counts():
    columns = Columns.of(["trial_id", "training_iteration", "val_loss", "done"], ColumnMap())
    rows = [
        Row(str(n), {"trial_id": n % 2, "training_iteration": n, "val_loss": n / 10, "done": n > 3}) for n in range(6)
    ]
    first, _ = columns.groups(rows)
    trial = columns.trial(first, objective="")
    assert (trial.metrics, trial.curves, trial.state) == (
        {"val_loss": 0.4},
        {"val_loss": {0: 0.0, 2: 0.2, 4: 0.4}},
        "DONE",
    )


def test_rows_without_id_and_step_are_trials_each():
    columns = Columns.of(["lr", "val_loss"], ColumnMap())
    assert len(columns.groups([Row("1", {"val_loss": 1}), Row("2", {"val_loss": 1})])) == 2


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=4),
        st.integers() | st.dictionaries(st.text(min_size=1, max_size=4), st.integers(), min_size=1),
    )
)
def test_flattening_keeps_every_leaf(entry):
    leaves = {f"{k}.{k2}" for k, v in entry.items() if isinstance(v, dict) for k2 in v} | {
        k for k, v in entry.items() if not isinstance(v, dict)
    }
    assert set(flatten(entry)) == leaves
