"""A forked command is what a started one is: its ending, streams, directory, environment, children and death."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.forking_commands import Popen, Servers, parent_of, run, workers_of

PROJECT = Path(__file__).resolve().parents[1]
SAYS = """
import atexit, json, os, signal, sys, threading, time
how, *rest = sys.argv[1:]
atexit.register(print, "at exit")
if how == "facts":
    print(json.dumps({
        "arguments": rest, "directory": os.getcwd(), "path": sys.path[0], "name": __name__, "input": sys.stdin.read(),
        "session": os.getsid(0) == os.getpid(), "environment": dict(os.environ),
        "descriptors": sorted(map(int, os.listdir("/proc/self/fd"))), "threads": threading.active_count(),
        "caught": [str(signal.getsignal(each)) for each in range(1, signal.SIGRTMIN)],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())), "parent": os.getppid(),
        "streams": [(s.fileno(), s.encoding, s.errors, s.line_buffering, s.write_through, s.isatty())
                    for s in (sys.stdout, sys.stderr)],
    }))
elif how == "exit":
    sys.exit(eval(rest[0]))
elif how == "raise":
    raise ValueError("wrong")
elif how == "thread":
    threading.Thread(target=lambda: (time.sleep(0.1), print("late"))).start()
    print("early")
elif how == "wait":
    print("waiting", flush=True)
    time.sleep(1500)
elif how == "draw":
    import random, uuid
    print(random.random(), uuid.uuid4())
elif how == "lead":
    import subprocess
    near, far = os.pipe()
    worker = subprocess.Popen(
        [sys.executable, "-m", "search.worker", str(far)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PROBE": "worker's"}, pass_fds=(far,), start_new_session=True,
    )
    os.close(far)
    print(worker.stdout.readline().strip(), worker.pid, os.read(near, 100).decode(), flush=True)
    if rest:
        time.sleep(1500)
    worker.stdin.close()
    print(worker.wait())
"""
WORKER = """
import os, sys
if __name__ == "__main__":
    os.write(int(sys.argv[1]), b"held")
    print(os.getppid(), os.getpid() == os.getsid(0), os.environ["PROBE"], len(os.listdir("/proc/self/fd")), flush=True)
    sys.stdin.read()
    sys.exit(7)
"""
OUTLIVED = """
import subprocess, sys, time
from tests.forking_commands import Popen, Servers
Popen.server = Servers(imported=())
Popen([sys.executable, "-m", "search"], env={"PYTHONPATH": sys.argv[1]}).wait()
print(*(server._process.pid for server in Popen.server._started.values()), flush=True)
time.sleep(1500)
"""
HANG_SECONDS = 1500
IS_SHARED = "PYTEST_XDIST_WORKER" in os.environ
"""Whether other tests ran in this process: their open files and threads would be compared with."""


alone = pytest.mark.skipif(IS_SHARED, reason="run in a process of its own")


@pytest.mark.slow
@pytest.mark.skipif(not IS_SHARED, reason="this process has no other tests")
def test_all_of_it_holds_in_a_process_of_its_own():
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, cwd=PROJECT, env=own, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A code tree whose command says what it finds."""
    root = tmp_path_factory.mktemp("tree")
    for package in ("pipeline", "model", "search"):
        (root / package).mkdir()
        (root / package / "__init__.py").touch()
    (root / "search" / "__main__.py").write_text(SAYS)
    (root / "search" / "worker.py").write_text(WORKER)
    return root


@pytest.fixture(scope="module")
def servers():
    """Servers that import nothing but the tree."""
    own = Servers(imported=())
    yield own
    own.close()


@pytest.fixture
def start(tree, servers, tmp_path, monkeypatch):
    """``start(Popen, "exit", "3")``: start a command of the tree in either way."""
    monkeypatch.setattr(Popen, "server", servers)
    named = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PROBE": "the asker's"}
    environment = {**named, "PYTHONPATH": str(tree)}
    piped = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)

    def begin(way, *arguments, **changed):
        environment_ = {**environment, **changed.pop("env", {})}
        own = {"preexec_fn": _hear_signals} if way is subprocess.Popen else {}
        given = {"cwd": tmp_path, "env": environment_, "text": True, **piped, **own, **changed}
        return way([sys.executable, "-m", "search", *arguments], **given)

    return begin


def _hear_signals():
    """A suite that runs in the background ignores some, and what it starts would too."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def answers(start, *arguments, said="", **changed):
    """What a started and a forked command answer: exit code, output, error output."""
    for way in (subprocess.Popen, Popen):
        with start(way, *arguments, **changed) as process:
            out, err = process.communicate(said, timeout=HANG_SECONDS)
        yield process.returncode, out, err


def gone(pid):
    """Whether a process has ended, whether or not its end was heard of."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


def wait_until(happened):
    deadline = time.monotonic() + HANG_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@alone
@pytest.mark.parametrize(
    "changed",
    [{}, {"start_new_session": True, "env": {"PYTHONUNBUFFERED": "1"}}, {"cwd": "/", "stderr": subprocess.STDOUT}],
)
def test_it_finds_what_a_started_one_finds(start, changed):
    (code, out, err), (forked_code, forked_out, forked_err) = answers(start, "facts", "a b", said="ü\n", **changed)
    started, forked = json.loads(out.splitlines()[0]), json.loads(forked_out.splitlines()[0])
    assert len(forked.pop("descriptors")) == len(started.pop("descriptors")) + 1, "its server"
    assert started == forked and started["parent"] == os.getpid() and started["input"] == "ü\n"
    assert (code, out.splitlines()[1:], err) == (forked_code, forked_out.splitlines()[1:], forked_err)


@alone
@pytest.mark.parametrize(
    "arguments",
    [
        *(("exit", code) for code in ("None", "0", "3", "256 + 5", "-1", "'words'", "True")),
        ("thread",),
        ("none",),
    ],
)
def test_it_ends_as_a_started_one_ends(start, arguments):
    started, forked = answers(start, *arguments)
    assert started == forked


@alone
def test_an_error_that_nobody_caught_is_shown(start):
    for code, out, err in answers(start, "raise"):
        assert (code, out) == (1, "at exit\n")
        assert err.startswith("Traceback") and err.endswith("ValueError: wrong\n")


@alone
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_signals_end_it(start, number):
    ends = []
    for way in (subprocess.Popen, Popen):
        with start(way, "wait") as process:
            assert process.stdout.readline() == "waiting\n" and process.poll() is None
            process.send_signal(number)
            out, err = process.communicate(timeout=HANG_SECONDS)
            ends.append((process.returncode, out, "KeyboardInterrupt" in err))
    assert ends[0] == ends[1] and ends[0][0] == -number


@alone
def test_it_draws_anew(start):
    drawn = [out for _ in range(2) for _, out, _ in answers(start, "draw")]
    assert len({word for line in drawn for word in line.splitlines()[0].split()}) == 8


@alone
def test_its_worker_is_its_child_with_pipes_descriptors_and_environment_of_its_own(start):
    for code, out, err in answers(start, "lead"):
        says, ended, _ = out.splitlines()
        parent, session, name, descriptors, pid, held = says.rsplit(" ", 5)
        assert (session, name, descriptors, held) == ("True", "worker's", "5", "held") and parent != pid, says
        assert (code, ended, err) == (0, "7", "")


@alone
def test_workers_of_a_killed_command_hear_of_it_and_its_server_ends(start, servers):
    with start(Popen, "lead", "wait") as process:
        parent, *_, worker, _ = process.stdout.readline().split()
        assert int(parent) == process.pid and workers_of(process) == [int(worker)]
        children = subprocess.run(["ps", "--ppid", parent, "-o", "pid="], capture_output=True, text=True).stdout
        assert len(children.split()) == 2
        process.kill()
        wait_until(lambda: all(map(gone, map(int, children.split()))))
    assert process.returncode == -signal.SIGKILL


@alone
def test_other_programs_are_started(start, tmp_path):
    done = run([sys.executable, "-c", "print(1)"], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "1\n")


@alone
def test_a_script_that_loads_a_package_knows_libraries_alone(tmp_path, monkeypatch):
    script = "import json, os, sys\n# mlflow.pyfunc.load_model(\n"
    script += "print(json.dumps([sys.argv, os.getcwd(), 'search' in sys.modules, 'ANY' in os.environ, __name__]))"
    answers = []
    own = Servers(imported=())
    monkeypatch.setattr("tests.forking_commands.SERVERS", own)
    monkeypatch.setattr("tests.forking_commands.LIBRARIES", ("json",))
    try:
        for way in (subprocess.Popen, Popen):
            given = {"cwd": tmp_path, "env": {"PATH": os.environ["PATH"], "ANY": "1"}, "stdout": subprocess.PIPE}
            with way([sys.executable, "-c", script, "a", "b"], **given) as process:
                answers.append((process.communicate()[0], process.returncode))
        assert set(own._started) == {("", None, None, None, None, None)}, "the second was forked"
    finally:
        own.close()
    assert answers[0] == answers[1] == (answers[0][0], 0)
    assert json.loads(answers[0][0]) == [["-c", "a", "b"], str(tmp_path), False, True, "__main__"]


@alone
def test_a_server_ends_with_its_session_however_that_ends(tree):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", OUTLIVED, str(tree)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as session:
        server = int(session.stdout.readline())
        assert parent_of(server) == session.pid and not gone(server)
        session.kill()
        wait_until(lambda: gone(server))


@alone
def test_a_tree_that_can_not_be_imported_is_named(tmp_path):
    with pytest.raises(ChildProcessError, match=f"pipeline of {tmp_path} was asked for|No module named 'pipeline'"):
        Servers(imported=())({"PYTHONPATH": str(tmp_path)})
