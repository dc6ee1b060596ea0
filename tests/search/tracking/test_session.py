"""What needs no server; the rest is in tests/servers/test_leases.py."""

import pytest

from pipeline.exceptions import StoreError
from search.tracking.session import connect


@pytest.mark.lesson("L41")
def test_a_server_that_is_not_there_is_said_without_a_password():
    with pytest.raises(StoreError) as error:
        connect("postgresql://someone:s3cret@127.0.0.1:1/nothing")
    assert "can be reached" in str(error.value) and "s3cret" not in str(error.value)
