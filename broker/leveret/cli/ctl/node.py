"""The broker that a command works on: how it is found, and how it is asked."""

from __future__ import annotations

import os
import socket
import time

from leveret.cli.ctl.errors import EXIT_CONFIGURATION, EXIT_TIMEOUT, Failed
from leveret.config.places import RUNTIME_DIR, node_name, rabbitmq_data_dir, runtime_dir

TYPE_CHECKING = False  # typing takes its time
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from leveret.config.settings import Settings

SOCKET_NAME = "control"
REQUEST_BYTES_MAX = 16 * 1024 * 1024  # what a broker reads, see leveret.shell.control
DATA_DIR = "LEVERET_DATA_DIR"
NODENAME = "RABBITMQ_NODENAME"

_UNREACHABLE = """\
unable to perform an operation on node '{name}'. Please see diagnostics information and suggestions below.

Most common reasons for this are:

 * Target node is not running
 * It was started by another user: its control socket is for that user alone
 * It keeps its data elsewhere: name the directory with --data-dir or {variable}

DIAGNOSTICS
===========

attempted to contact: [{name}]

{found}
"""


_HELLO = b'{"operation": "hello", "arguments": {}}\n'
_ENDED = "the broker ended before it answered"


def _request(operation: str, arguments: dict[str, object]) -> bytes:
    """A line. Raises Failed: it is longer than the broker reads."""
    import json

    line = json.dumps({"operation": operation, "arguments": arguments}).encode() + b"\n"
    if len(line) > REQUEST_BYTES_MAX:
        raise Failed(f"{operation} takes no more than {REQUEST_BYTES_MAX // 2**20} MiB")
    return line


def _parsed(line: bytes) -> dict[str, Any]:
    """Raises Failed."""
    import json

    try:
        parsed: dict[str, Any] = json.loads(line)
    except ValueError as error:
        raise Failed(f"what answered is no broker: {error}") from error
    return parsed


class Unreachable(Exception):
    """No broker answers. name: of the node; found: what there was instead, as lines."""

    def __init__(self, name: str, found: list[str]) -> None:
        super().__init__(name)
        self.name, self.found = name, found

    @property
    def text(self) -> str:
        return _UNREACHABLE.format(name=self.name, variable=DATA_DIR, found="\n".join(self.found))


class Where:
    """What was said of which broker is meant. program: its name tells whether RabbitMQ's places are looked at."""

    def __init__(
        self, node: str | None = None, data_dir: str | None = None, config: str | None = None, program: str = ""
    ) -> None:
        self.node = node or os.environ.get(NODENAME) or None
        self.data_dir = data_dir or os.environ.get(DATA_DIR) or None
        self.config = config
        self.is_rabbitmqs = program.startswith("rabbitmq")

    @property
    def name(self) -> str:
        """The node's, as far as it is known before one answers."""
        return node_name(self.node or "rabbit")


class Node:
    """A broker that answers."""

    def __init__(self, connected: socket.socket, seconds: float) -> None:
        self._socket = connected
        self._lines = connected.makefile("rb")
        self._hello: dict[str, Any] | None = None
        self._greeting = self._answer(_HELLO, "hello", seconds, "unknown")

    @property
    def name(self) -> str:
        """Of the node."""
        return str(self._told()["node"])

    @property
    def is_running(self) -> bool:
        """Whether its application runs."""
        return bool(self._told()["is_running"])

    @property
    def pid(self) -> int:
        """Of its process."""
        return int(self._told()["pid"])

    def _told(self) -> dict[str, Any]:
        """Taken apart where it is needed: a ping has no time for JSON."""
        if self._hello is None:
            self._hello = _parsed(self._greeting)["result"]
        return self._hello

    def ask(self, operation: str, seconds: float, **arguments: object) -> dict[str, Any]:
        """The outcome. Raises Failed: it ended, or did not answer in time."""
        return _parsed(self._answer(_request(operation, arguments), operation, seconds, self.name))

    def tell(self, operation: str) -> None:
        """The outcome is not waited for. Raises Failed."""
        try:
            self._socket.sendall(_request(operation, {}))
        except OSError as error:
            raise Failed(f"{_ENDED}: {error}") from error

    def _answer(self, request: bytes, operation: str, seconds: float, name: str) -> bytes:
        """A line. Raises Failed."""
        self._socket.settimeout(None if seconds == INFINITY else max(seconds, 0.001))
        try:
            self._socket.sendall(request)
            line = self._lines.readline()
        except TimeoutError as error:
            text = f"operation {operation} on node {name} timed out. Timeout value used: {seconds * 1000:.0f}"
            raise Failed(text, EXIT_TIMEOUT, "Error: ") from error
        except OSError as error:
            raise Failed(f"{_ENDED}: {error}") from error
        if not line.endswith(b"\n"):
            raise Failed(_ENDED)
        return line

    def ask_to_end(self, operation: str, seconds: float) -> dict[str, Any] | None:
        """As `ask`; None: it has ended."""
        try:
            return self.ask(operation, seconds)
        except Failed as error:
            if error.status == EXIT_TIMEOUT:
                raise
            return None

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


INFINITY = float("inf")
PAUSE_SECONDS = 0.1


def connect(where: Where, seconds: float = INFINITY) -> Node:
    """Raises Unreachable; Failed: the broker is not to be asked by this user, or there are several to choose from."""
    connected = _connected(where)
    if connected is None:
        raise Unreachable(where.name, _others())
    return Node(connected, seconds)


def _connected(where: Where) -> socket.socket | None:
    if where.data_dir is not None:
        return _open(os.path.join(where.data_dir, SOCKET_NAME))
    if where.config is not None:
        return _configured(where)
    if where.is_rabbitmqs and (found := _open(os.path.join(rabbitmq_data_dir(), SOCKET_NAME))) is not None:
        return found
    running = {name: found for name, path in _announced() if (found := _open(path)) is not None}
    chosen = next((name for name in running if where.node and _is_named(name, where.node)), None)
    if chosen is None and len(running) == 1:
        chosen = next(iter(running))
    for name, one in running.items():
        if name != chosen:
            one.close()
    if chosen is not None:
        return running[chosen]
    if running:
        raise Failed(f"several brokers are running: choose one with -n or --data-dir\n{_listed(running)}")
    return _configured(where)


def _announced() -> Iterator[tuple[str, str]]:
    """`<node name>.<process id>` and path of the sockets in the runtime directory."""
    folder = runtime_dir()
    is_ours = bool(os.environ.get(RUNTIME_DIR))  # else whoever owns it could answer instead of a broker
    try:
        names = sorted(os.listdir(folder)) if is_ours or os.stat(folder).st_uid in (os.geteuid(), 0) else []
    except OSError:
        names = []
    return ((name, os.path.join(folder, name)) for name in names)


def _is_named(entry: str, node: str) -> bool:
    name = entry.rpartition(".")[0]
    return node in (name, name.partition("@")[0])


def _others() -> list[str]:
    names = [name for name, _ in _announced()]
    return [f"found in {runtime_dir()}:", *(f"  {name}" for name in names or ["nothing"])]


def _listed(names: dict[str, socket.socket]) -> str:
    return "\n".join(f"  {name}" for name in names)


def _open(path: str) -> socket.socket | None:
    """None: there is nobody. Raises Failed."""
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.connect(path)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        connected.close()
        return None
    except OSError as error:
        connected.close()
        if error.errno is None:  # the name is too long for a socket
            return None
        raise Failed(f"the broker cannot be asked through {path}: {error.strerror or error}") from error
    return connected


# -- with a configuration, which takes its time to read -------------------------------------------------------------


def _configured(where: Where) -> socket.socket | None:
    """By the data directory that is configured."""
    data_dir = configured(where)[1]
    return None if data_dir is None else _open(os.path.join(data_dir, SOCKET_NAME))


def configured(where: Where) -> tuple[Settings, Path | None]:
    """The settings, and the data directory; None: everything is kept in memory. Raises Failed."""
    from pathlib import Path

    from leveret.cli import settings_options
    from leveret.config.load import load
    from leveret.config.report import ConfigurationError

    options = {} if where.data_dir is None else {"data_dir": where.data_dir}
    try:
        settings = load(options, os.environ, None if where.config is None else Path(where.config)).settings
    except ConfigurationError as error:
        raise Failed("\n".join(error.problems), EXIT_CONFIGURATION) from error
    return settings, settings_options.data_dir(settings)


def done_offline(where: Where, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The outcome of an operation on a data directory that no broker has. Raises Failed."""
    settings, data_dir = configured(where)
    if data_dir is None:
        raise Failed("the broker keeps everything in memory, so that there is nothing to work on")
    if not data_dir.is_dir():
        raise Failed(f"there is no data directory {data_dir}: no broker has used it yet")
    from leveret.broker import carried_out
    from leveret.config.report import ConfigurationError
    from leveret.storage.base import StoreError

    try:
        return carried_out({"operation": operation, "arguments": arguments}, data_dir, settings)
    except (StoreError, ConfigurationError) as error:
        raise Failed(str(error)) from error


def pause(until: float) -> bool:
    """Before something is looked at again; False: the time is up."""
    left = until - time.monotonic()
    if left <= 0:
        return False
    time.sleep(min(left, PAUSE_SECONDS))
    return True
