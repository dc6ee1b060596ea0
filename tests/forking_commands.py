"""Commands without the start of an interpreter: forked off one process that has imported what they need.

``python -m search …`` spends three seconds on imports before it does anything, and so does each of its workers.
:class:`Popen` takes the arguments of ``subprocess.Popen``; where they are a command or a worker of a code tree, it has
them forked off a *server*, one a tree, which is started on first use and has imported the tree and nothing more.  What
comes of it is a process as any other: a child of who asked, with directory, environment, streams, session and
descriptors of its own, that runs the real ``main``, opens its own stores, can be killed, and ends with an exit code or
a signal.  A forked command has a server of its own, for its workers, forked off with it while it is still clean. A
script that imports from a tree is a command of it that changes something of itself first.  One that loads a packaged
model is forked off a server that has imported libraries alone: it knows no code but what the package carries.  For a
command it is forked off *the clean one*, which every server of a tree leaves behind before it imports the tree, and
which tells the command its end, since it is no child of it.

A server ends with who started it, however that ends.  What is tested of an interpreter's start itself, or of a
variable that is read on import, takes ``subprocess`` instead.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import platform
import runpy
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

PACKAGES = ("pipeline", "model", "search")
FORKING = sys.platform == "linux"
SERVER_NAME = "forking"
"""Name of a server among the children of a command, see :func:`workers_of`."""
LOADED = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ATEN_CPU_CAPABILITY", "MKL_CBWR")
"""Variables that libraries read as they are loaded: for other values there is another server."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
ALSO_IMPORTED = (
    *("alembic.command", "alembic.script", "exchange_calendars", "IPython", "matplotlib.pyplot", "mlflow.pyfunc"),
    *("mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"),
    *("optuna.storages._rdb.storage", "pyarrow.parquet", "rich.console", "sklearn.ensemble", "sklearn.linear_model"),
    *("pandera.backends.pandas.builtin_checks", "pandera.backends.pandas.builtin_hypotheses", "torch._dynamo"),
)
LIBRARIES = (
    *("exchange_calendars", "mlflow.pyfunc", "mlflow.pyfunc.loaders.code_model", "pandas", "pyarrow.parquet"),
    *("mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"),
    *("safetensors.torch", "scipy.stats", "sklearn.ensemble", "sklearn.linear_model", "sklearn.pipeline", "torch"),
)
"""What is imported where a script is forked off that loads a packaged model: nothing of any code tree."""
SCRIPT, LOADS_A_PACKAGE, OF_A_TREE = "-c", "mlflow.pyfunc.load_model(", "\nfrom search."
INSTALLED = "mlflow.utils.requirements_utils"
"""Module of MLflow that looks through all installed packages before it saves a model, once a process."""
HOST = "TESTED_HOST"
"""Variable that gives a command another host name, as if it ran on another machine."""
READY = b"ready"
LARGEST_REQUEST = 2**17
STANDARD_STREAMS = 3
PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 15, 36
CLEAN_ONE: Any = ""
"""Address of what a server has left behind before it imported its tree."""

_libc = ctypes.CDLL(None)


class Server:
    """The near end of a process that forks commands off itself.

    Parameters
    ----------
    end : socket
        Connected to it.
    process : Popen or int
        It, or its id where it was not started but forked.
    """

    def __init__(self, end: socket.socket, process: subprocess.Popen[bytes] | int) -> None:
        self._end, self._process = end, process
        self._asked = threading.Lock()

    def start(self, request: dict[str, Any], streams: Sequence[int], kept: Sequence[int]) -> int:
        """Have a command started as a child of this process: its process id.

        Parameters
        ----------
        request : dict
            Module, arguments, directory, environment and whether it gets a session of its own.
        streams : sequence of int
            Descriptors that become its input, output and error output.
        kept : sequence of int
            Further descriptors, which it gets under the same numbers.
        """
        message = json.dumps({**request, "kept": list(kept)}).encode()
        with self._asked:
            _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            try:
                socket.send_fds(self._end, [message], [*streams, *kept])
                pid = int(self._end.recv(LARGEST_REQUEST) or 0)
            finally:
                _libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        if parent_of(pid) != os.getpid():
            raise ChildProcessError(f"the server of commands must leave a child to who asked, got process {pid}")
        return pid

    def close(self) -> None:
        """End it."""
        self._end.close()
        if isinstance(self._process, int):
            os.waitpid(self._process, 0)
        else:
            self._process.communicate()


class Popen(subprocess.Popen):  # type: ignore[type-arg]
    """``subprocess.Popen``, that has commands and workers of a code tree forked."""

    server: Callable[[Mapping[str, str]], Server]
    """Finds the server for an environment; of a test session until a command has one of its own."""
    clean_one = ""
    """Address of what forks a command's scripts; empty where this process has servers."""
    _end: socket.socket | None = None
    """Says the exit code of a script that is no child of this process."""

    def _execute_child(
        self,
        args: Any,
        executable: Any,
        preexec_fn: Any,
        close_fds: Any,
        pass_fds: Any,
        cwd: Any,
        env: Any,
        startupinfo: Any,
        creationflags: Any,
        shell: Any,
        p2cread: int,
        p2cwrite: int,
        c2pread: int,
        c2pwrite: int,
        errread: int,
        errwrite: int,
        restore_signals: Any,
        gid: Any,
        gids: Any,
        uid: Any,
        umask: Any,
        start_new_session: bool,
        *rest: Any,
    ) -> None:
        if not _is_command(args):
            given = (args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell)
            pipes = (p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)
            settings = (restore_signals, gid, gids, uid, umask, start_new_session)
            super()._execute_child(*given, *pipes, *settings, *rest)
            return
        assert preexec_fn is None and not shell, "a forked command takes neither preexec_fn nor shell"
        environment = dict(os.environ if env is None else env)
        request = {
            "module": args[2] if args[1] != SCRIPT else SCRIPT,
            "script": args[2] if args[1] == SCRIPT else "",
            "arguments": [str(each) for each in args[3:]],
            "directory": os.path.abspath(cwd or os.getcwd()),
            "environment": environment,
            "session": bool(start_new_session),
        }
        given_or_own = [own if fd == -1 else fd for own, fd in enumerate((p2cread, c2pwrite, errwrite))]
        loads_a_package = args[1] == SCRIPT and LOADS_A_PACKAGE in args[2]
        if loads_a_package and self.clean_one:
            self._end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._end.connect(self.clean_one)
            socket.send_fds(self._end, [json.dumps({**request, "kept": []}).encode()], given_or_own)
            self.pid = int(self._end.recv(LARGEST_REQUEST))
        else:
            server = SERVERS.of_libraries(environment) if loads_a_package else type(self).server(environment)
            self.pid = server.start(request, given_or_own, pass_fds)
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if self._end is None:
            return super()._try_wait(wait_flags)  # type: ignore[misc, no-any-return]
        if wait_flags & os.WNOHANG and not select.select([self._end], [], [], 0)[0]:
            return 0, 0
        status = int(self._end.recv(LARGEST_REQUEST) or signal.SIGKILL)
        self._end.close()
        return self.pid, status

    def _internal_poll(self, *given: Any, **named: Any) -> int | None:
        if self._end is None:
            return super()._internal_poll(*given, **named)  # type: ignore[misc, no-any-return]
        if self.returncode is None:
            pid, status = self._try_wait(os.WNOHANG)
            if pid == self.pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def run(arguments: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and hold what it says, as ``subprocess.run`` does."""
    timeout = options.pop("timeout", None)
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} if options.pop("capture_output", False) else {}
    with Popen(arguments, **given, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def _is_command(arguments: Any) -> bool:
    if not FORKING or isinstance(arguments, str) or arguments[0] != sys.executable or len(arguments) < 3:
        return False
    if arguments[1] == SCRIPT:
        return LOADS_A_PACKAGE in arguments[2] or OF_A_TREE in arguments[2]
    return arguments[1] == "-m" and (arguments[2] == "search" or arguments[2].startswith("search."))


class Servers:
    """The servers of a test session, each started on first use.

    Parameters
    ----------
    imported : sequence of str
        Modules that each imports besides its code tree.
    """

    def __init__(self, imported: Sequence[str] = ALSO_IMPORTED) -> None:
        self._imported = imported
        self._started: dict[tuple[str | None, ...], Server] = {}

    def __call__(self, environment: Mapping[str, str]) -> Server:
        """Find or start the server of an environment's code tree, the first that ``PYTHONPATH`` names."""
        tree = environment["PYTHONPATH"].split(os.pathsep)[0]
        environment = {**ONE_THREAD, **environment}
        key = (tree, *map(environment.get, LOADED))
        if key not in self._started:
            self._started[key] = _start_server(tree, environment, self._imported)
        return self._started[key]

    def of_libraries(self, environment: Mapping[str, str]) -> Server:
        """Find or start the server that knows no code tree."""
        key = ("", *map(environment.get, LOADED))
        if key not in self._started:
            kept = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
            self._started[key] = _start_server("", kept, LIBRARIES)
        return self._started[key]

    def close(self) -> None:
        """End them all."""
        for server in self._started.values():
            server.close()
        self._started.clear()


SERVERS = Servers()
Popen.server = SERVERS


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Process ids of a command's own children, without its server."""
    command = ["ps", "--ppid", str(process.pid), "-o", "pid=,comm="]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return [int(pid) for pid, name in (line.split(maxsplit=1) for line in listed) if name.strip() != SERVER_NAME]


def parent_of(pid: int) -> int:
    """Process id of a process's parent; 0 where there is no such process."""
    try:
        held = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return 0
    return int(held.rsplit(")", 1)[1].split()[1])


def _start_server(tree: str, environment: Mapping[str, str], imported: Sequence[str]) -> Server:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with far:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(far.fileno()), *imported],
            cwd=tree or os.sep,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(far.fileno(),),
            start_new_session=True,
        )
    if near.recv(LARGEST_REQUEST) != READY:
        raise ChildProcessError(f"the server of {tree} did not start: {process.communicate()[0].decode()}")
    return Server(near, process)


# What follows runs in the server and in what it forks.


def _import_all(others: Sequence[str]) -> None:
    """Import every module of the tree, if there is one, and others."""
    for package in PACKAGES if str(Path.cwd()) != os.sep else ():
        found = importlib.import_module(package)
        if Path(found.__path__[0]).parent != Path.cwd():
            raise ImportError(f"{package} of {Path.cwd()} was asked for, got {found.__path__[0]}")
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in others:
        importlib.import_module(name)
    if INSTALLED in sys.modules:
        sys.modules[INSTALLED]._init_modules_to_packages_map()
    if "pipeline.calendars" in sys.modules:
        sys.modules["pipeline.calendars"].sessions("XNYS", *[date(2000, 1, 3)] * 2)
    if "sqlalchemy" in sys.modules:
        wait_for_no_disk()
        remember_schemas()


def remember_schemas() -> None:
    """Have MLflow and Optuna look through their migrations once in this process, and not for every store it opens."""
    tracking, storage = sys.modules.get("mlflow.store.db.utils"), sys.modules.get("optuna.storages._rdb.storage")
    if tracking is not None:
        tracked = tracking._get_latest_schema_revision()
        tracking._get_latest_schema_revision = lambda: tracked
    if storage is not None:
        scheduled = storage.RDBStorage("sqlite://").get_head_version()
        storage._VersionManager.get_head_version = lambda self: scheduled


def wait_for_no_disk() -> None:
    """Have no transaction of this process wait for the disk: no test cuts the power, and a kill loses none."""
    from sqlalchemy import Engine, event

    @event.listens_for(Engine, "connect")
    def _settle(connection: Any, record: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")


def _serve(end: socket.socket, nearer: Sequence[socket.socket] = ()) -> Callable[[], NoReturn]:
    """Fork a command off for every request; returns in the command alone, with what it is to do."""
    for each in nearer:
        each.close()
    _libc.prctl(PR_SET_NAME, SERVER_NAME.encode(), 0, 0, 0)
    while True:
        message, descriptors, *_ = socket.recv_fds(end, LARGEST_REQUEST, 64)
        if not message:
            os._exit(0)
        assert threading.active_count() == 1, "a server of commands must have one thread"
        started, told = os.pipe()
        between = os.fork()
        if between == 0:
            between = os.getpid()
            pid = os.fork()
            if pid:
                os.write(told, str(pid).encode())
                os._exit(0)
            end.close()
            os.close(started)
            os.close(told)
            while os.getppid() == between:
                time.sleep(0.001)
            return _become(json.loads(message), descriptors)
        os.close(told)
        os.waitpid(between, 0)
        end.send(os.read(started, 100))
        for descriptor in (started, *descriptors):
            os.close(descriptor)


def _leave_a_clean_one() -> str:
    """Leave a process behind that has imported libraries alone and forks scripts for whoever asks: its address."""
    for name in LIBRARIES:
        importlib.import_module(name)
    remember_schemas()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(b"")  # Linux gives an address that is no file
    listening.listen(64)
    address = listening.getsockname()
    if os.fork():
        listening.close()
        return address
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _libc.prctl(PR_SET_NAME, SERVER_NAME.encode(), 0, 0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        asked, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _fork_a_script(asked)
        asked.close()


def _fork_a_script(asked: socket.socket) -> None:
    """Fork it, and say its end, in a process of its own; returns in no process."""
    message, descriptors, *_ = socket.recv_fds(asked, LARGEST_REQUEST, 64)
    pid = os.fork() if message else os._exit(0)
    if pid == 0:
        asked.close()
        _become(json.loads(message), descriptors)()
    for descriptor in descriptors:
        os.close(descriptor)
    asked.send(str(pid).encode())
    _, status = os.waitpid(pid, 0)
    with suppress(OSError):
        asked.send(str(status).encode())
    os._exit(0)


def _become(request: dict[str, Any], descriptors: list[int]) -> Callable[[], NoReturn]:
    """Make this process what a new interpreter with these arguments would be; returns what it is to run."""
    _place(descriptors, [*range(STANDARD_STREAMS), *request["kept"]])
    if request["session"]:
        os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = [request["module"], *request["arguments"]]
    sys.path[0:1] = [request["directory"]]
    _libc.prctl(PR_SET_NAME, b"python", 0, 0, 0)
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    for stream in (sys.stdout, sys.stderr):
        at_once = not unbuffered and (stream is sys.stderr or stream.isatty())
        stream.reconfigure(line_buffering=at_once, write_through=unbuffered)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if HOST in os.environ:
        socket.gethostname = platform.node = lambda: os.environ[HOST]
    return lambda: _run(request["module"], request["script"])


def _place(descriptors: list[int], numbers: list[int]) -> None:
    """Give descriptors the numbers that they are to have."""
    above = max(*descriptors, *numbers) + 1
    for offset, descriptor in enumerate(descriptors):
        os.dup2(descriptor, above + offset, inheritable=False)
        os.close(descriptor)
    for offset, number in enumerate(numbers):
        os.dup2(above + offset, number, inheritable=True)
        os.close(above + offset)


def _run(module: str, script: str) -> NoReturn:
    """Run a module as ``python -m`` does, or a script as ``python -c`` does, and end as an interpreter does.

    Only the taking apart of its modules is left out.
    """
    own = _own_server() if module == "search" or OF_A_TREE in script else None
    if own is not None:
        Popen.server, Popen.clean_one = staticmethod(lambda environment: own), CLEAN_ONE
        subprocess.Popen = Popen  # type: ignore[misc]
    sys.modules.pop(module if module != "search" else "search.__main__", None)
    code = 0
    try:
        if module == SCRIPT:
            exec(compile(script, "<string>", "exec"), {"__name__": "__main__"})
        else:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = _exit_code(ended)
    except KeyboardInterrupt:
        code = -signal.SIGINT
        sys.excepthook(*sys.exc_info())
    except BaseException:
        code = 1
        sys.excepthook(*sys.exc_info())
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 120
    if own is not None:
        own.close()
    if code == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code & 0xFF)


def _exit_code(ended: SystemExit) -> int:
    if ended.code is None or isinstance(ended.code, int):
        return ended.code or 0
    print(ended.code, file=sys.stderr)
    return 1


def _own_server() -> Server:
    """Fork a server for this command's workers, while nothing but imports is in this process."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    forked = os.fork()
    if forked == 0:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        empty = os.open(os.devnull, os.O_RDWR)
        for number in range(STANDARD_STREAMS):
            os.dup2(empty, number)
        os.close(empty)
        run = _serve(far, nearer=(near,))
        run()
    far.close()
    return Server(near, forked)


def _main(descriptor: int, imported: Sequence[str]) -> None:
    global CLEAN_ONE
    CLEAN_ONE = _leave_a_clean_one() if str(Path.cwd()) != os.sep and imported else ""
    sys.path.insert(0, "")
    _import_all(imported)
    end = socket.socket(fileno=descriptor)
    gc.collect()
    gc.freeze()
    end.send(READY)
    run = _serve(end)
    run()


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2:])
