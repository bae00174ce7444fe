"""The control socket: what an operator has done to a running broker, from the same machine and by the same user.

It lies in the data directory, or where brokers in memory can be found, and whoever may open it may do everything; the
file system sees to who that is. Requests and their outcomes are lines of JSON (see leveret.operations).
"""

import contextlib
import json
import logging
import math
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import trio

from leveret.storage.base import StoreError

log = logging.getLogger(__name__)

SOCKET_NAME = "control"
REQUEST_BYTES_MAX = 16 * 1024 * 1024  # definitions that are imported
REQUEST_SECONDS = 10.0
_BACKLOG_CONNECTIONS = 16


@contextlib.contextmanager
def control_socket(path: Path) -> Iterator[socket.socket | None]:
    """Listens there, in a directory that nobody else writes to; None where it cannot, which is logged."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.closing(listening):
        try:
            path.unlink(missing_ok=True)  # of a broker that was killed
            listening.bind(str(path))
            path.chmod(0o600)  # before anybody can connect
            listening.listen(_BACKLOG_CONNECTIONS)
        except OSError as error:
            log.warning("the broker cannot be controlled through %s: %s", path, error)
            yield None
            return
        try:
            yield listening
        finally:
            with contextlib.suppress(OSError):  # the disk may be what the broker ends by; the next one removes it, too
                path.unlink()


@contextlib.contextmanager
def announced(runtime_dir: Path, name: str) -> Iterator[Path | None]:
    """Where this broker is found by the name of its node: the path in the runtime directory, for a socket or a link.

    None where there can be no such directory of this user alone, which is logged.
    """
    path = runtime_dir / f"{name}.{os.getpid()}"
    try:
        runtime_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = runtime_dir.stat()
        if found.st_uid != os.geteuid():
            raise PermissionError("it belongs to another user")
        if found.st_mode & 0o022:
            raise PermissionError("others may write to it")
        if not os.access(runtime_dir, os.W_OK):  # in a container whose root file system is read-only
            raise PermissionError("it cannot be written to")
        path.unlink(missing_ok=True)
        _forget_the_dead(runtime_dir)
    except OSError as error:
        log.warning("the broker cannot be found through %s: %s", runtime_dir, error)
        yield None
        return
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _forget_the_dead(runtime_dir: Path) -> None:
    """Brokers that were killed."""
    for entry in runtime_dir.iterdir():
        pid = entry.name.rpartition(".")[2]
        if pid.isdecimal() and int(pid) and not _is_alive(int(pid)):
            entry.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class Control:
    """carry_out: a request; what it changed is then safe. Answers its outcome as JSON.

    answering: where those who ask are served.
    """

    def __init__(self, carry_out: Callable[[object], Awaitable[bytes]], answering: trio.Nursery) -> None:
        self._carry_out = carry_out
        self._answering = answering

    async def serve(self, listening: socket.socket) -> None:
        """Accept until cancelled. Those who were accepted are served as long as the nursery is there."""
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))
        await trio.serve_listeners(self._answer, [listener], handler_nursery=self._answering)

    async def _answer(self, stream: trio.SocketStream) -> None:
        """One request after the other."""
        async with stream:
            lines, seconds = _Lines(stream), REQUEST_SECONDS
            try:
                while True:
                    with trio.move_on_after(seconds) as reading:
                        line = await lines.next()
                    seconds = math.inf  # whoever has asked may pause: close_all_connections --per-connection-delay
                    if reading.cancelled_caught or line is None:
                        return
                    await stream.send_all(await self._answer_to(line) + b"\n")
                    if not line.endswith(b"\n"):  # the end, or more than any request
                        return
            except trio.BrokenResourceError:
                pass  # whoever asked has gone

    async def _answer_to(self, line: bytes) -> bytes:
        """A failure here is a bug of ours, and ends nothing but this request.

        But raises StoreError: what is kept cannot be read back, which ends the broker.
        """
        try:
            try:
                request = json.loads(line)
            except (ValueError, RecursionError):
                return b'{"error": "not a line of JSON", "kind": "usage"}'
            return await self._carry_out(request)
        except StoreError:
            raise
        except Exception:
            log.exception("control: internal error")
            return b'{"error": "internal error", "kind": "failed"}'


class _Lines:
    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._received = bytearray()
        self._has_asked = False

    async def next(self) -> bytes | None:
        """The next line, or what there is at the end; None: there are no more."""
        searched = 0
        while (end := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            if searched > REQUEST_BYTES_MAX:
                end = searched - 1
                break
            data = await self._stream.receive_some()
            if not data:
                if self._has_asked and not self._received:
                    return None
                end = searched - 1
                break
            self._received += data
        line = bytes(self._received[: end + 1])
        del self._received[: end + 1]
        self._has_asked = True
        return line
