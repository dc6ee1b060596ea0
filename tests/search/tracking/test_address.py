import pytest
from sqlalchemy import make_url

import search.tracking.address as address
from pipeline.exceptions import StoreError
from search.tracking.address import connect_options, for_optuna, has_secret, require_driver, require_readable
from search.tracking.stores import open_storage, open_tracking, resolve_stores


@pytest.mark.lesson("L41")
@pytest.mark.parametrize("password", ["ge/heim", "ge?heim", "ge#heim", "ge@heim", "ge heim", "ge[heim", "g?e=h@x"])
def test_letters_that_libraries_read_otherwise_are_refused_and_not_shown(password):
    for option, uri in (
        ("storage", f"postgresql://me:{password}@host/db"),
        ("tracking_uri", f"http://me:{password}@h"),
    ):
        with pytest.raises(StoreError, match=rf"^{option} must have the letters .* percent-encoded") as caught:
            require_readable(option, uri)
        assert not any(part in str(caught.value) for part in (password, "heim@", "h@x", "ge/"))


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://me:ge%40heim@host:5432/db?sslmode=require",
        "postgresql://me:a:b@host/db?application_name=x@y",
        "postgresql://me@host/db",
        "postgresql:///db?host=/run/postgresql",
        "http://127.0.0.1:5000",
        "sqlite:////a@b/c#d [e]/x.db",
    ],
)
def test_what_everybody_reads_alike_is_taken(uri):
    require_readable("storage", uri)


def test_an_address_without_its_scheme_is_not_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError) as caught:
        resolve_stores(storage="me:geheim@host/db")
    assert "geheim" not in str(caught.value) and "got no address" in str(caught.value)


@pytest.mark.lesson("L41")
def test_a_missing_driver_is_named_with_its_command_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(address, "find_spec", lambda name: None)
    stores = resolve_stores("postgresql://me@127.0.0.1:1/a", "postgresql://me@127.0.0.1:1/b")
    for connect in (open_storage, open_tracking):
        with pytest.raises(StoreError, match=r"pip install 'patchscale\[postgres\]'$") as caught:
            connect(stores)
        assert "\n" not in str(caught.value)
    require_driver("storage", "sqlite:////a.db")
    require_driver("storage", "postgresql+psycopg2://host/db")


def test_postgresql_is_spoken_by_psycopg_and_a_password_survives():
    for password in ("a%7Bb%7D", "a{b}", "p%2540ss", "ein%20fach"):
        uri = f"postgresql://me:{password}@host/db"
        url = make_url(for_optuna(uri).format(SCHEMA_VERSION=1))
        assert url.drivername == "postgresql+psycopg" and url.password == make_url(uri).password


def test_connections_of_a_server_are_tried_before_use():
    options = connect_options("postgresql://host/db")
    assert options["pool_pre_ping"] and options["connect_args"]["keepalives"] == 1
    assert connect_options("sqlite:////a.db") == {"connect_args": {"timeout": 60}}
    assert connect_options("mysql+pymysql://host/db") == {"pool_pre_ping": True, "connect_args": {}}


def test_an_address_is_known_to_hold_a_secret():
    assert has_secret("postgresql://me:x@host/db") and has_secret("postgresql://host/db?password=x")
    assert not has_secret("postgresql://me@host/db") and not has_secret("")
