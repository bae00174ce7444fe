"""One Leveret of this checkout, started by the interpreter with options of our choice, and the time that took."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

CHECKOUT = Path(__file__).resolve().parents[2]
START_SECONDS = 20.0
EXIT_SECONDS = 10.0
POLL_SECONDS = 0.0005  # the error of ready_seconds
AS_MODULE = ("-m", "leveret")


class LeveretFailed(Exception):
    """Leveret did not start or did not end with status 0; the text has its output."""


class StartedLeveret:
    """`python INTERPRETER_OPTIONS server --port 0 --port-file F --data-dir D SERVER_OPTIONS`, from exec until SIGTERM.

    D is a new folder, deleted at the end, where the system keeps temporary files (TMPDIR names another place).

    `ready_seconds`: from just before exec until the port file was there. `output`: all it wrote, once it has ended.
    """

    def __init__(self, interpreter_options: tuple[str, ...] = AS_MODULE, server_options: tuple[str, ...] = ()) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="leveret-bench-")
        folder = Path(self._folder.name)
        self._output_file = folder / "output"
        port_file = folder / "port"
        command = [
            sys.executable,
            *interpreter_options,
            "server",
            "--port",
            "0",
            "--port-file",
            str(port_file),
            "--data-dir",
            str(folder / "data"),
            *server_options,
        ]
        with self._output_file.open("wb") as output:
            self.exec_at = time.perf_counter()
            self._process = subprocess.Popen(
                command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.pid = self._process.pid
        while not port_file.exists():
            if self._process.poll() is not None or time.perf_counter() > self.exec_at + START_SECONDS:
                self._process.kill()
                raise LeveretFailed(f"not ready, exit status {self._process.wait()}:\n{self._output_file.read_text()}")
            time.sleep(POLL_SECONDS)
        self.ready_seconds = time.perf_counter() - self.exec_at
        self.url = f"amqp://guest:guest@127.0.0.1:{int(port_file.read_text())}/%2F"
        self.output = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it. Raises: LeveretFailed, unless something else is being raised"""
        self._process.terminate()
        try:
            status: int | str = self._process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            status = f"none {EXIT_SECONDS:.0f} s after SIGTERM"
        with self._folder:
            self.output = self._output_file.read_text(errors="replace")
        if status and not error:
            raise LeveretFailed(f"exit status {status}:\n{self.output}")


def environment() -> dict[str, str]:
    """The broker of this checkout must run, installed or not, and no setting from outside may change the results."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LEVERET_", "RABBITMQ_"))}
    folders = [str(CHECKOUT / "broker"), str(CHECKOUT / "protocol"), str(CHECKOUT), inherited.get("PYTHONPATH", "")]
    # Several of them run at once, and each would want the port of the HTTP API for itself.
    ours = {
        "PYTHONPATH": os.pathsep.join(filter(None, folders)),
        "LEVERET_MANAGEMENT_PORT": "none",
        "LEVERET_METRICS_PORT": "none",
    }
    return inherited | ours
