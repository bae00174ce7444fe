"""The tutorial programs, run as a newcomer runs them: one process each, judged by what they print."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DEADLINE_SECONDS = 15.0


class Program:
    """A running tutorial program. Its lines are read by a thread, so that waiting for one can have a deadline."""

    def __init__(self, script: str, *arguments: str) -> None:
        command = [sys.executable, str(HERE / script), *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))

    def line(self) -> str:
        """The next line it prints. Raises: queue.Empty if there is none within DEADLINE_SECONDS"""
        return self._lines.get(timeout=DEADLINE_SECONDS)

    def stop(self) -> list[str]:
        """Press Ctrl-C. Returns the lines not read yet; the program must have ended well."""
        self._process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> list[str]:
        """Wait for its end. Returns the lines not read yet."""
        status = self._process.wait(DEADLINE_SECONDS)
        self._reader.join(DEADLINE_SECONDS)
        rest = []
        while not self._lines.empty():
            rest.append(self._lines.get())
        assert status == 0, rest
        return rest

    def kill(self) -> None:
        """End it without warning, as a crash would."""
        self._process.kill()
        self._process.wait()
        self._reader.join(DEADLINE_SECONDS)
        assert self._process.stdout
        self._process.stdout.close()


Start = Callable[..., Program]


@pytest.fixture
def start(broker_url: str, unique: Callable[[str], str]) -> Iterator[Start]:
    """`start("hello_world/send.py", "text")` runs a program against the broker, with names of this test's own."""
    programs: list[Program] = []
    name = unique("tutorial")

    def start_program(script: str, *arguments: str) -> Program:
        programs.append(Program(script, broker_url, *arguments, "--name", name))
        return programs[-1]

    yield start_program
    for program in programs:
        program.kill()


def ready(program: Program) -> Program:
    """The program, once it says that it waits: its queue is bound and its consumer is in place."""
    assert program.line().startswith("waiting for ")
    return program


def test_hello_world_arrives_whoever_is_first(start: Start) -> None:
    assert start("hello_world/send.py").wait() == ["sent Hello World!"]
    receiver = ready(start("hello_world/receive.py"))
    assert receiver.line() == "received Hello World!"
    start("hello_world/send.py", "größer").wait()
    assert receiver.line() == "received größer"
    assert receiver.stop() == []


def test_work_queue_hands_the_task_of_a_dead_worker_to_another(start: Start) -> None:
    stuck = ready(start("work_queues/worker.py", "--stuck"))
    assert start("work_queues/new_task.py", "task 1").wait() == ["sent task 1"]
    assert stuck.line() == "began task 1"
    worker = ready(start("work_queues/worker.py"))
    start("work_queues/new_task.py", "task 2").wait()
    assert [worker.line(), worker.line()] == ["began task 2", "done task 2"]

    stuck.kill()

    assert [worker.line(), worker.line()] == ["began task 1", "done task 1"]
    assert worker.stop() == []


def test_published_message_reaches_every_subscriber(start: Start) -> None:
    start("publish_subscribe/publish.py", "nobody hears this").wait()
    subscribers = [ready(start("publish_subscribe/subscribe.py")) for _ in range(2)]
    assert start("publish_subscribe/publish.py", "info: on air").wait() == ["sent info: on air"]
    for subscriber in subscribers:
        assert subscriber.line() == "received info: on air"
        assert subscriber.stop() == []


def test_routing_selects_by_severity(start: Start) -> None:
    errors = ready(start("routing/subscribe.py", "error"))
    everything = ready(start("routing/subscribe.py", "info", "warning", "error"))
    start("routing/publish.py", "info", "all is well").wait()
    assert start("routing/publish.py", "error", "disk full").wait() == ["sent error: disk full"]
    assert errors.line() == "received error: disk full"
    assert [everything.line(), everything.line()] == ["received info: all is well", "received error: disk full"]
    assert (errors.stop(), everything.stop()) == ([], [])


def test_topics_select_by_pattern(start: Start) -> None:
    kernel = ready(start("topics/subscribe.py", "kern.*"))
    critical = ready(start("topics/subscribe.py", "*.critical", "#.disk"))
    for key in ("kern.critical", "cron.info", "cron.critical.disk", "kern.info.cpu", "kern.disk"):
        start("topics/publish.py", key, "x").wait()
    assert [kernel.line(), kernel.line()] == ["received kern.critical: x", "received kern.disk: x"]
    expected = ["received kern.critical: x", "received cron.critical.disk: x", "received kern.disk: x"]
    assert [critical.line() for _ in range(3)] == expected
    assert (kernel.stop(), critical.stop()) == ([], [])


def test_rpc_gets_its_answers(start: Start) -> None:
    server = ready(start("rpc/server.py"))
    client = start("rpc/client.py", "30", "0", "100")
    assert client.wait() == [
        "fibonacci(30) = 832040",
        "fibonacci(0) = 0",
        "fibonacci(100) = 354224848179261915075",
    ]
    assert server.stop() == ["asked for 30", "asked for 0", "asked for 100"]


def test_publisher_confirms_cover_every_message(start: Start) -> None:
    lines = start("publisher_confirms/publish.py", "500").wait()
    for line, way in zip(lines, ("one at a time", "at most 100 ahead", "all at once"), strict=False):
        assert line.startswith(f"{way}: 500 of 500 confirmed in ")
    assert lines[3:] == ["the queue held 1500 messages"]
