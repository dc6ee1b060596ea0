import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest


def test_ui_refuses_other_hosts_and_says_why(home, command):
    code, _, err = command("ui", "--host", "0.0.0.0")
    assert code == 2
    assert "no password by default" in err
    assert "--allow-remote" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--port", "99999"], "at most 65535"), (["--tracking-uri", "http://127.0.0.1:9"], "open that address instead")],
)
def test_ui_refuses_what_it_cannot_serve(home, command, arguments, words):
    code, _, err = command("ui", *arguments)
    assert code == 2
    assert words in err


@pytest.mark.slow
def test_ui_serves_on_loopback(home, project):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "search", "ui", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(project)}
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        for _ in range(3000):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
                    assert answer.read() == b"OK"
                break
            except OSError:
                assert server.poll() is None
                time.sleep(0.5)
        else:
            pytest.fail("the UI did not answer")
    finally:
        os.killpg(server.pid, 15)
        server.wait(20)


def test_verify_is_a_line_a_thing_and_exits_0_if_all_are_whole(home, command):
    code, out, _ = command("verify")
    lines = out.splitlines()
    assert len(lines) == 6
    assert code == (0 if all(line.startswith("ok ") for line in lines) else 1)
