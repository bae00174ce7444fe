"""The control socket: what an operator has done to a running broker, from the same machine and by the same user.

It lies in the data directory, and whoever may open it may do everything; the file system sees to who that is. Each
connection carries one request and its outcome, each a line of JSON (see leveret.auth.operations).
"""

import contextlib
import json
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import trio

from leveret.core.keeping import Keeper

log = logging.getLogger(__name__)

SOCKET_NAME = "control"
REQUEST_BYTES_MAX = 1024 * 1024
REQUEST_SECONDS = 10.0
_BACKLOG_CONNECTIONS = 16


@contextlib.contextmanager
def control_socket(directory: Path) -> Iterator[socket.socket | None]:
    """Listens in the directory, which this process has to itself; None where it cannot, which is logged."""
    path = directory / SOCKET_NAME
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
            path.unlink(missing_ok=True)


class Control:
    """outcome: carries a request out, in a turn of its own. changes_something: must what it did be safe first?"""

    def __init__(
        self, outcome: Callable[[object], dict[str, Any]], changes_something: Callable[[object], bool],
        keeper: Keeper, flush: Callable[[], None],
    ) -> None:  # fmt: skip
        self._outcome = outcome
        self._changes_something = changes_something
        self._keeper = keeper
        self._flush = flush

    async def serve(self, listening: socket.socket) -> None:
        """Serve until cancelled."""
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))
        await trio.serve_listeners(self._answer, [listener])

    async def _answer(self, stream: trio.SocketStream) -> None:
        async with stream:
            try:
                with trio.move_on_after(REQUEST_SECONDS) as reading:
                    line = await _line(stream)
                if not reading.cancelled_caught:
                    await stream.send_all(json.dumps(await self._outcome_of(line)).encode() + b"\n")
            except trio.BrokenResourceError:
                pass  # whoever asked has gone

    async def _outcome_of(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return {"error": "not a line of JSON", "kind": "usage"}
        outcome = self._outcome(request)
        if self._changes_something(request):
            await self._wait_until_safe()
        return outcome

    async def _wait_until_safe(self) -> None:
        waiter = _Waiter()
        self._keeper.store.when_safe(waiter)
        self._flush()
        await waiter.is_safe.wait()


class _Waiter:
    def __init__(self) -> None:
        self.is_safe = trio.Event()

    def safe(self) -> None:
        self.is_safe.set()


async def _line(stream: trio.SocketStream) -> bytes:
    received = b""
    while not received.endswith(b"\n") and len(received) <= REQUEST_BYTES_MAX:
        data = await stream.receive_some()
        if not data:
            break
        received += data
    return received
