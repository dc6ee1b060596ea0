import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.spec.migrations import RECORD_SCHEMA, SCHEMA, Migration, complete, identity, schema_of
from pipeline.exceptions import RecordError

NAMES = st.sampled_from(["noise", "gate", "beta1", "seed"])
FACTS = [Migration(schema=2, name="noise", value="0.0"), Migration(schema=SCHEMA + 1, name="gate", value="1")]


@pytest.mark.slow
@pytest.mark.lesson("L36")
@given(params=st.dictionaries(NAMES, st.text(max_size=3)), schema=st.integers(1, SCHEMA))
def test_a_record_gets_what_its_schema_lacks_and_nothing_else(params, schema):
    record = {**params, RECORD_SCHEMA: str(schema)}
    completed = complete(record, FACTS)
    assert {name: completed[name] for name in record} == record
    added = {name: value for name, value in completed.items() if name not in record}
    assert added == {each.name: each.value for each in FACTS if schema < each.schema and each.name not in params}


@pytest.mark.lesson("L36")
@given(params=st.dictionaries(NAMES, st.text(max_size=3)))
def test_a_hash_is_that_of_before_as_long_as_what_joined_is_as_it_was(params):
    named = identity(params.items(), FACTS)
    assert identity({"noise": "0.0", "gate": "1", **params}.items(), FACTS) == named
    assert identity({**params, "noise": "0.5"}.items(), FACTS) != named or params.get("noise") == "0.5"


def test_a_record_that_says_nothing_is_one_of_the_first():
    assert schema_of({}) == 1


@pytest.mark.parametrize("text", ["0", "-1", "two", "", "1.0", str(SCHEMA + 1), "²"])
def test_a_schema_that_this_code_does_not_know_is_refused_with_the_remedy(text):
    with pytest.raises(RecordError, match=rf"record.schema must be from 1 to {SCHEMA}, got .*update to read it"):
        schema_of({RECORD_SCHEMA: text})
