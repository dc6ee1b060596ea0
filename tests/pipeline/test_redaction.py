import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pipeline.redaction as redaction
from pipeline.exceptions import PatchscaleError, StoreError, describe_error
from pipeline.redaction import keep_secret, keep_secret_variables, redacted, redacted_traceback, secrets_of

PASSWORDS = ["geheim-7", "p@s s/w:o%r#d?", "ein\\fach'\"", "käse&brot+1", "{x}[y]"]


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(redaction, "_kept", set())


@pytest.mark.lesson("L41")
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_kept_secret_is_found_however_it_is_written(password):
    import json
    from urllib.parse import quote, quote_plus

    keep_secret(quote(password, safe=""))
    for written in (password, quote(password), quote_plus(password), quote(password, safe=" +"), repr(password)[1:-1]):
        assert redacted(f"a {written} b") == "a *** b"
    assert password not in redacted(json.dumps({"p": password}))
    assert password not in str(StoreError(f"got {password}")) + str(PatchscaleError("x", password).args)
    assert password not in describe_error(ValueError(f"could not connect with {password}"))


@pytest.mark.lesson("L41")
@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:{}@host/db",
        "postgresql+psycopg://me:{}@host:5432/db?sslmode=require",
        "http://me:{}@host:5000",
        "postgresql://:{}@host/db",
        "postgresql://host/db?user=me&password={}",
        "postgresql://host/db?sslpassword={}&x=y",
    ],
)
def test_what_stands_in_the_place_of_a_password_is_left_out_of_any_text(address):
    for password in ("geheim-7", "ab", "p@s%2Fs"):
        text = f"got '{address.format(password)}' there"
        assert redacted(text) == f"got '{address.format('***')}' there"


@pytest.mark.lesson("L41")
@given(st.text(st.sampled_from("a:/@?# \n\u2003\x85"), max_size=30))
def test_passwords_of_addresses_are_found_as_one_search_of_the_whole_text_finds_them(text):
    assert redacted(text) == redaction.IN_ADDRESS.sub(rf"\g<before>{redaction.HIDDEN}", text)


@pytest.mark.lesson("L41")
@pytest.mark.parametrize("before, after", [("", ""), ("me@", ""), ("", "@host")])
def test_a_word_of_a_million_addresses_is_gone_through_once(before, after):
    """Through it once an address, it would take the square: days."""
    word = before + 1_000_000 * "://a:b" + after
    assert redacted(word) == (f"{before}://a:***{after}" if after else word)


@pytest.mark.lesson("L41")
@given(
    st.text(st.characters(exclude_characters="@")), st.from_regex(r"[a-zA-Z][a-z+.-]*", fullmatch=True), st.integers()
)
def test_a_password_is_left_out_whatever_stands_before_its_address(before, scheme, number):
    text = redacted(f"{before}{scheme}://me:geheim{number}@host")
    assert text.endswith("@host") and f"geheim{number}" not in text


def test_what_is_no_secret_stays():
    for text in ("postgresql://me@host/db", "http://127.0.0.1:5000/#/experiments/1?a=b", "a:b@c", "SPY at 12:30"):
        assert redacted(text) == text
    keep_secret("ab")
    assert redacted("a cab") == "a cab", "a short one is looked for in addresses alone"


def test_an_address_holds_its_secrets_as_they_are_written():
    assert secrets_of("postgresql://a:b:c@h/d") == ("b:c",)
    assert secrets_of("sqlite:////a:b@c/x.db") == ()
    assert secrets_of("http://h:5000") == ()


@pytest.mark.lesson("L41")
def test_variables_are_kept(monkeypatch):
    for name in redaction.VARIABLES:
        monkeypatch.setenv(name, f"of-{name}")
    keep_secret_variables()
    assert redacted(" ".join(f"of-{name}" for name in redaction.VARIABLES)) == "*** *** ***"


@pytest.mark.lesson("L41")
def test_tracebacks_hold_none():
    keep_secret("geheim-7")
    try:
        raise ValueError("geheim-7") from OSError("postgresql://me:other@host")
    except ValueError as error:
        told = redacted_traceback(error)
    assert (
        "geheim-7" not in told.splitlines()[-1] and "ValueError: ***" in told and "other" not in told.split("from")[0]
    )
    script = (
        "import threading; from pipeline.redaction import *; keep_secret('geheim' + '-7'); redact_tracebacks()\n"
        "def fail(): raise ValueError('x' + 'geheim' + '-7')\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join(); fail()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("ValueError: x***") == 2 and "geheim-7" not in done.stderr
