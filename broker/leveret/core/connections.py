"""All connections of a broker that have opened a virtual host: who they are, and the door to close them by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from leveret.core.message import Entry

if TYPE_CHECKING:
    from leveret.core.queue import Queue


class OpenConnection(Protocol):
    """A connection as the rest of the broker sees it.

    name: RabbitMQ's, `<peer> -> <local>`.
    vhost_name: what it opened; still that when the virtual host is gone.
    channel_count: those in use, closing ones included.
    """

    name: str
    vhost_name: str

    @property
    def user_name(self) -> str: ...

    @property
    def channel_count(self) -> int: ...

    def deliveries_held(self) -> Iterator[tuple[Entry, Queue]]:
        """What its channels were given and have not settled."""

    def tally(self) -> None:
        """Bring the counts of its channels up to this moment; see `leveret.core.counts`."""

    def alarmed(self, reason: str | None) -> None:
        """An alarm is on, for this reason; None: none is any more."""

    def force_close(self, reason: str) -> None:
        """Tell the client CONNECTION_FORCED (320) and the reason. Nothing for one that is closing already."""


class Connections:
    """In the order in which they opened their virtual hosts.

    A connection is in here until its TCP connection has ended: one that is closing counts (seen in RabbitMQ 3.10).
    Counting walks over all of them, which costs nothing where there are no limits.
    """

    def __init__(self) -> None:
        self._open: dict[OpenConnection, None] = {}

    def __iter__(self) -> Iterator[OpenConnection]:
        return iter(self._open)

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: OpenConnection) -> None:
        """connection.open went through."""
        self._open[connection] = None

    def remove(self, connection: OpenConnection) -> None:
        """It has ended. Does nothing for one that never opened a virtual host."""
        self._open.pop(connection, None)

    def of_vhost(self, vhost_name: str) -> list[OpenConnection]:
        return [connection for connection in self._open if connection.vhost_name == vhost_name]

    def entries_held(self, queue: Queue) -> Iterator[Entry]:
        """What was handed out of a queue and is not settled."""
        for connection in self.of_vhost(queue.vhost.name):
            for entry, origin in connection.deliveries_held():
                if origin is queue:
                    yield entry

    def of_user(self, user_name: str) -> list[OpenConnection]:
        return [connection for connection in self._open if connection.user_name == user_name]
