"""A Leveret of our own for the length of a test session: the command line people use, from this checkout.

    with running_leveret() as url: ...

It is held to what a CI job relies on: it says through the port file when it is ready, SIGTERM ends it with exit
status 0 within EXIT_SECONDS, and its output holds no traceback.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 10.0
EXIT_SECONDS = 3.0
POLL_SECONDS = 0.01
CHECKOUT = Path(__file__).resolve().parents[1]


class LeveretFailed(Exception):
    """Leveret did not start, did not end as it should, or logged a traceback; the text has the end of its output."""


@dataclass(frozen=True)
class RunningLeveret:
    """url: `amqp://guest:guest@127.0.0.1:PORT/%2F`. management_url: `http://127.0.0.1:PORT`; None: no HTTP API."""

    url: str
    management_url: str | None


@contextlib.contextmanager
def running_leveret() -> Iterator[str]:
    """`running_process`, where nobody but AMQP clients is needed: yields the URL."""
    with running_process() as leveret:
        yield leveret.url


@contextlib.contextmanager
def running_process(*, has_management: bool = False) -> Iterator[RunningLeveret]:
    """Start `leveret server` on free ports, yield it once it listens, end it with SIGTERM.

    Raises: LeveretFailed
    """
    with tempfile.TemporaryDirectory(prefix="leveret-") as name:
        folder = Path(name)
        port_file = folder / "port"
        # Several of them run at once, and each would want the port of the HTTP API for itself.
        management = ["--management-port", "0"] if has_management else ["--no-management"]
        options = ["--port", "0", "--port-file", str(port_file), "--in-memory", *management]
        with (folder / "output").open("wb") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "leveret", "server", *options],
                cwd=folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            port = _wait_for_port(port_file, child, folder)
            url = f"amqp://guest:guest@127.0.0.1:{port}/%2F"
            yield RunningLeveret(url, _management_url(folder) if has_management else None)
            _terminate(child, folder)
        finally:
            child.kill()  # does nothing if it has ended
            child.wait()


def _management_url(folder: Path) -> str:
    """It is in the line that says that all is ready, which comes after the port file. Raises: LeveretFailed"""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if found := re.search(rb"^leveret ready on .* and (http://\S+) .*\n", (folder / "output").read_bytes(), re.M):
            return found[1].decode()
        time.sleep(POLL_SECONDS)
    raise LeveretFailed(f"not ready after {START_SECONDS} s{_output(folder)}")


def _environment() -> dict[str, str]:
    """The broker of this checkout must run, installed or not, and no setting from outside may change the tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LEVERET_", "RABBITMQ_"))}
    folders = [str(CHECKOUT / "broker"), str(CHECKOUT / "protocol"), inherited.get("PYTHONPATH", "")]
    # Several of them run at once, and each would want the port of the metrics for itself.
    return inherited | {"PYTHONPATH": os.pathsep.join(filter(None, folders)), "LEVERET_METRICS_PORT": "none"}


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
