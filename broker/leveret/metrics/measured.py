"""What metrics are of: a running broker, as whoever started it knows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from leveret.auth.access_control import Attempts
from leveret.core.exchanges import Exchange
from leveret.core.node import Node
from leveret.core.queue import Queue
from leveret.core.vhost import VirtualHost
from leveret.handlers.channel import Channel
from leveret.handlers.connection import Connection
from leveret.shell.watermarks import Watermarks


@dataclass(frozen=True, slots=True)
class Measured:
    """What there is may be looked at in slices, while it changes.

    attempts: to log in, by RabbitMQ's name of the protocol. started_seconds: since 1970.
    """

    node: Node
    watermarks: Watermarks
    attempts: Mapping[str, Attempts]
    started_seconds: float

    def vhosts(self) -> list[VirtualHost]:
        return list(self.node.vhosts.values())

    def queues(self) -> list[Queue]:
        return [queue for vhost in self.node.vhosts.values() for queue in vhost.queues.values()]

    def exchanges(self) -> list[Exchange]:
        """But for internal ones and the default one, which RabbitMQ leaves out."""
        found = (exchange for vhost in self.node.vhosts.values() for exchange in vhost.exchanges.values())
        return [exchange for exchange in found if exchange.name and not exchange.internal]

    def connections(self) -> list[Connection]:
        return [connection for connection in self.node.connections if isinstance(connection, Connection)]

    def channels(self) -> Iterator[Channel]:
        """Connections that come meanwhile are left out."""
        for connection in self.connections():
            yield from connection.channels
