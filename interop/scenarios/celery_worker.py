"""A `celery worker` in a process of its own: solo pool, task events, otherwise default settings."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 20.0


class Worker:
    """A running `celery worker`. Its log is read by a thread, so that waiting for a line can have a deadline."""

    def __init__(self, broker_url: str, queue_name: str, module: str) -> None:
        self.hostname = f"{uuid.uuid4().hex[:12]}@interop"
        self.log: list[str] = []
        command = [sys.executable, "-m", "celery", "-A", module, "worker", "--pool", "solo"]
        command += ["--task-events", "--loglevel", "INFO", "--hostname", self.hostname]
        environment = os.environ | {
            "CELERY_BROKER_URL": broker_url,
            "INTEROP_CELERY_QUEUE": queue_name,
            "C_FORCE_ROOT": "1",
        }
        self._process = subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.log.append(line)
            self._lines.put(line)

    def wait_for_line(self, text: str) -> None:
        """Read on until a line holds the text. Raises: queue.Empty if none comes within DEADLINE_SECONDS"""
        while text not in self._lines.get(timeout=DEADLINE_SECONDS):
            pass

    def stop(self) -> None:
        """Warm shutdown: SIGTERM, and it must end well."""
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(DEADLINE_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join(DEADLINE_SECONDS)
            assert self._process.stdout
            self._process.stdout.close()
        assert status == 0, "".join(self.log)


@contextlib.contextmanager
def running_worker(broker_url: str, queue_name: str, module: str = "interop.scenarios.celery_app") -> Iterator[Worker]:
    """It is ready when the block begins. module: where the application is."""
    worker = Worker(broker_url, queue_name, module)
    try:
        worker.wait_for_line(" ready.")
        yield worker
    finally:
        worker.stop()
