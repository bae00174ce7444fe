"""A Leveret of our own for the length of a test session: the command line people use, from this checkout.

    with running_leveret() as url: ...

It is held to what a CI job relies on: it says through the port file when it is ready, SIGTERM ends it with exit
status 0 within EXIT_SECONDS, and its output holds no traceback.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_SECONDS = 10.0
EXIT_SECONDS = 3.0
POLL_SECONDS = 0.01
CHECKOUT = Path(__file__).resolve().parents[1]


class LeveretFailed(Exception):
    """Leveret did not start, did not end as it should, or logged a traceback; the text has the end of its output."""


@contextlib.contextmanager
def running_leveret() -> Iterator[str]:
    """Start `leveret server` on a free port, yield its URL once it listens, end it with SIGTERM.

    Raises: LeveretFailed
    """
    with tempfile.TemporaryDirectory(prefix="leveret-") as name:
        folder = Path(name)
        port_file = folder / "port"
        command = [
            sys.executable,
            "-m",
            "leveret",
            "server",
            "--port",
            "0",
            "--port-file",
            str(port_file),
            "--in-memory",
        ]
        with (folder / "output").open("wb") as output:
            child = subprocess.Popen(
                command, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            yield f"amqp://guest:guest@127.0.0.1:{_wait_for_port(port_file, child, folder)}/%2F"
            _terminate(child, folder)
        finally:
            child.kill()  # does nothing if it has ended
            child.wait()


def _environment() -> dict[str, str]:
    """The broker of this checkout must run, installed or not, and no setting from outside may change the tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LEVERET_", "RABBITMQ_"))}
    folders = [str(CHECKOUT / "broker"), str(CHECKOUT / "protocol"), inherited.get("PYTHONPATH", "")]
    # Several of them run at once, and each would want the port of the HTTP API for itself.
    ours = {"PYTHONPATH": os.pathsep.join(filter(None, folders)), "LEVERET_MANAGEMENT_PORT": "none"}
    return inherited | ours


def _wait_for_port(port_file: Path, child: subprocess.Popen[bytes], folder: Path) -> int:
    """The port, once it is in the file. Raises: LeveretFailed"""
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(FileNotFoundError, ValueError):  # not there yet, or still empty
            return int(port_file.read_text())
        if child.poll() is not None or time.monotonic() > deadline:
            raise LeveretFailed(f"not listening after {START_SECONDS} s, exit status {child.poll()}{_output(folder)}")
        time.sleep(POLL_SECONDS)


def _terminate(child: subprocess.Popen[bytes], folder: Path) -> None:
    """End it as CI does. Raises: LeveretFailed"""
    child.terminate()
    try:
        status = child.wait(EXIT_SECONDS)
    except subprocess.TimeoutExpired:
        raise LeveretFailed(f"still running {EXIT_SECONDS} s after SIGTERM{_output(folder)}") from None
    if status != 0:
        raise LeveretFailed(f"exit status {status} after SIGTERM{_output(folder)}")
    if b"Traceback (most recent call last)" in (folder / "output").read_bytes():
        raise LeveretFailed(f"an error of the broker's own{_output(folder)}")


def _output(folder: Path) -> str:
    return ":\n" + (folder / "output").read_text(errors="replace")[-8000:]
