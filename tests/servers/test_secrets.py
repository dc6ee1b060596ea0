"""A password of the database is looked for in everything that a study leaves behind, shows, or says of a failure."""

from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.servers.postgres import GUARDED

PASSWORD = "Zwölf/Büch%40er: k#ö@ln&9'\\{x}"
PIECES = ("Büch", "B%C3%BCch", "k#ö", "ln&9", "ln%269", "\\xfcch", "\\u00fcch", "B\\303\\274ch")
"""Of the password, in the ways that an address, JSON or Python write it."""
STUDY = "guarded"
SEARCH = ("hpo", "--budget", "5K", "--tier", "r25", "--max-epochs", "1", "--pruner", "none", "--study", STUDY)

pytestmark = pytest.mark.lesson("L41")


@pytest.fixture(scope="module")
def guarded(postgres):
    """Address of a storage whose role needs a password."""
    literal = PASSWORD.replace("'", "''")
    postgres.ask(f"ALTER ROLE {GUARDED} PASSWORD '{literal}'")
    name = postgres.create("optuna", owner=GUARDED)
    postgres.ask(f"REASSIGN OWNED BY patchscale TO {GUARDED}", database=name)
    return name


def address(postgres, name, password=PASSWORD, port=None):
    url = postgres.url(name, user=GUARDED, password=quote(password, safe=""))
    return url.replace(str(postgres.port), str(port or postgres.port))


def command_lines():
    """Of every process on this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


def holds_it(text):
    written = (PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=""), quote_plus(PASSWORD), *PIECES)
    return [each for each in written if each in text]


def test_a_study_leaves_no_password_anywhere_and_shows_none(machine, postgres, tracking_server, guarded):
    here = machine("here", storage=address(postgres, guarded))
    process = here.start(*SEARCH, "--trials", "2", "--workers", "2", interpreter=True)
    said, seen, busy = [], [], set()
    for line in process.stdout:
        said.append(line)
        lines = command_lines()
        seen += lines
        busy.update(each for each in lines if "search.workers" in each)
    assert process.wait() == 0, "".join(said)
    assert busy, "workers were seen at work"
    for command in ("status", "audit", "verify", "reconcile", "baselines"):
        said.append(here.run(command, *([] if command in ("status", "verify") else [STUDY]), code=None))
    shown = {"output": "".join(said), "processes": "\n".join(seen)}
    for name in (guarded, tracking_server.database):
        shown[f"database {name}"] = postgres.dump(name)
    shown["server's log"] = tracking_server.log()
    files = [*here.directory.rglob("*"), *(tracking_server.directory / "artifacts").rglob("*")]
    for path in (each for each in files if each.is_file()):
        shown[str(path)] = path.read_bytes().decode(errors="replace")
    assert any(name.endswith(".log") for name in shown) and any(name.endswith("trials.csv") for name in shown)
    assert {where: found for where, text in shown.items() if (found := holds_it(text))} == {}
    assert "storage" not in shown["output"].replace("scheduling store", "") or "***" in shown["output"]
    assert f"{tracking_server.url}/#/experiments/" in shown["output"], "the board is on the server"


@pytest.mark.parametrize("given", ["variable", "option"])
@pytest.mark.parametrize("fault", ["password", "host", "database"])
def test_a_failure_is_one_line_without_a_password(machine, postgres, guarded, fault, given):
    wrong = {
        "password": lambda: address(postgres, guarded, password=f"{PASSWORD}!"),
        "host": lambda: address(postgres, guarded, port=1),
        "database": lambda: address(postgres, "nobodys"),
    }[fault]()
    for variable, option in (("PATCHSCALE_STORAGE", "--storage"), ("MLFLOW_TRACKING_URI", "--tracking-uri")):
        here = machine(variable)
        named, options = ({variable: wrong}, []) if given == "variable" else ({}, [option, wrong])
        for command in (["status"], [*SEARCH, "--trials", "1"], ["report", STUDY]):
            said = here.run(*command, *options, code=2, **named)
            *notes, line = said.strip().splitlines()
            assert line.startswith("error: ") and "\n" not in line, said
            assert holds_it(said) == [], said
            assert f"postgresql://{GUARDED}:***@" in line, line
            assert all(note.startswith("note: everybody on this machine can read") for note in notes), said
        said = here.run("verify", *options, code=1, **named)
        assert "BAD" in said and holds_it(said) == [], said


def test_a_password_file_serves_without_a_password_in_the_address(machine, postgres, guarded):
    here = machine("filed", storage=postgres.url(guarded, user=GUARDED))
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    held = here.home / ".pgpass"
    held.write_text(f"127.0.0.1:*:*:{GUARDED}:{escaped}\n", encoding="utf-8")
    held.chmod(0o600)
    assert "scheduling store" in here.run("verify", code=None)
    assert "BAD scheduling" not in here.run("verify", code=None)
