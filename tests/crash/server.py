"""`leveret server` as a process of its own, from this checkout."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENDING_SECONDS = 30

_READY = re.compile(rb"leveret ready on amqp://127\.0\.0\.1:(\d+) in .+\n")


class ServerProcess:
    """A broker on a free port with a data directory.

    port: once it is ready. file_bytes_max: no file of it can be larger (RLIMIT_FSIZE). joined: stderr is in stdout.
    broken: see broken_server.
    """

    def __init__(
        self, data_dir: Path, *options: str, file_bytes_max: int | None = None, joined: bool = False,
        broken: tuple[str, int] | None = None,
    ) -> None:  # fmt: skip
        self.port = 0
        self._stderr = tempfile.TemporaryFile()  # a pipe that nobody reads would stop the broker
        places = [os.fspath(ROOT / folder) for folder in ("broker", "protocol", ".")]
        program = ["leveret"] if broken is None else ["tests.crash.broken_server", broken[0], str(broken[1])]
        self.process = subprocess.Popen(
            [sys.executable, "-m", *program, "server", "--port", "0", "--data-dir", os.fspath(data_dir), *options],
            env={name: value for name, value in os.environ.items() if not name.startswith("LEVERET_")}
            | {
                "PYTHONPATH": os.pathsep.join(places),
                "LEVERET_MANAGEMENT_PORT": "none",
                "LEVERET_METRICS_PORT": "none",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if joined else self._stderr,
            preexec_fn=None if file_bytes_max is None else _limit_files(file_bytes_max),
        )

    def wait_until_ready(self) -> None:
        assert self.becomes_ready(), self.stderr

    def becomes_ready(self) -> bool:
        """Or ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:  # of one that is `joined` it is not the first line
            if match := _READY.fullmatch(line):
                self.port = int(match[1])
                return True
        return False

    def wait_for_words(self, words: str = "") -> None:
        """Until it has said something with these words, of one that is `joined`."""
        assert self.process.stdout is not None
        while words not in (line := self.process.stdout.readline().decode()):
            assert line, f"it has ended without {words!r}"

    @property
    def stderr(self) -> str:
        """What it has said there so far."""
        self._stderr.seek(0)
        return self._stderr.read().decode()

    def kill(self) -> None:
        """SIGKILL. Returns when the process is gone."""
        self.process.kill()
        self.process.wait(ENDING_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> tuple[int, str]:
        """Its exit status and all of stderr, once it has ended by itself. Whatever happened, it dies in words."""
        status = self.process.wait(ENDING_SECONDS)
        assert "Traceback" not in self.stderr, self.stderr
        return status, self.stderr

    def close(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._stderr.close()


def _limit_files(size: int) -> Callable[[], None]:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python has it, but this is still before Python
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit
