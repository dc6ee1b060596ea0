"""``mlflow models serve`` as a real server, and a client that posts to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from search.registry.packaging.mlflow_model import clean_environment

JSON = "application/json"


@contextmanager
def serve(model_uri: str, tracking_uri: str, home: Path) -> Iterator[str]:
    """Serve a model while the block runs: the address to post to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = clean_environment(tracking_uri)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    command = ["mlflow", "models", "serve", "-m", model_uri, "--env-manager", "local", "--port", str(port)]
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_until_up(port, process, home / "server.log")
        yield f"http://127.0.0.1:{port}/invocations"
        assert process.poll() is None, "the server must live on"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_up(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 1500
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server must come up, it says: {log.read_text()[-2000:]}")


def body(frame: pd.DataFrame, **params: object) -> bytes:
    """A request of these bars."""
    data = {"columns": list(frame.columns), "data": frame.to_numpy(dtype=object).tolist()}
    return json.dumps({"dataframe_split": data, **({"params": params} if params else {})}).encode()


def post(address: str, data: bytes, content_type: str = JSON) -> tuple[int, Any]:
    """Status and answer."""
    request = urllib.request.Request(address, data=data, headers={"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=1500) as answer:
            return answer.status, json.loads(answer.read())["predictions"]
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        return error.code, json.loads(text)["message"] if text.startswith("{") else text
