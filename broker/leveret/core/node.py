"""The broker as a whole: its virtual hosts, and the work that is too long for one turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from leveret.core.connections import Connections
from leveret.core.metadata import Metadata
from leveret.core.timers import Timers
from leveret.core.vhost import VirtualHost
from leveret_protocol.errors import AMQPError, ReplyCode

Work = Callable[[], None]


class Node:
    """All virtual hosts of one broker.

    name: as RabbitMQ's cluster_name, `leveret@<host>`.
    now: the message clock, seconds since 1970. The core has no clock of its own.
    default_queue_type: what virtual hosts get that are made without one, "/" among them. Raises ValueError.
    connections: those that have opened a virtual host.
    timers: calls by the message clock; the shell calls `timers.run_due` in time, and tests after they moved the clock.
    on_work: called when a slice of work waits that did not before; the shell then calls `run_slice` until `has_work`
    is false, with a flush and a checkpoint in between.
    """

    def __init__(
        self, name: str = "leveret@localhost", *, now: Callable[[], float], default_queue_type: str = "classic"
    ) -> None:
        self.name = name
        self.now = now
        self.default_queue_type = default_queue_type
        self.connections = Connections()
        self.timers = Timers(now)
        self.on_work: Callable[[], None] = _nobody_listens
        self.vhosts: dict[str, VirtualHost] = {}
        self._work: dict[Work, None] = {}
        self.add_vhost("/")

    def add_vhost(self, name: str, metadata: Metadata = Metadata()) -> VirtualHost:  # noqa: B008  (it is frozen)
        """Create the virtual host with its predeclared exchanges, or answer the one that is there, unchanged.

        The node's default queue type becomes its own, unless it is given one.
        """
        if name not in self.vhosts:
            default_queue_type = metadata.default_queue_type or self.default_queue_type
            self.vhosts[name] = VirtualHost(self, name, replace(metadata, default_queue_type=default_queue_type))
        return self.vhosts[name]

    def delete_vhost(self, name: str) -> None:
        """Delete it with all that is in it, and close its connections: CONNECTION_FORCED (320) (RabbitMQ: CLS-5).

        Any may be deleted, "/" too. Raises KeyError: there is none of this name.
        """
        self.vhosts[name].close()
        del self.vhosts[name]
        for connection in self.connections.of_vhost(name):
            connection.force_close(f"vhost '{name}' is deleted")

    def vhost(self, name: str) -> VirtualHost:
        """Raises NOT_ALLOWED (530): no such virtual host (RabbitMQ: section 1.5 of the wire behaviour)."""
        try:
            return self.vhosts[name]
        except KeyError:
            raise AMQPError(ReplyCode.NOT_ALLOWED, f"vhost {name} not found") from None

    def add_work(self, work: Work) -> None:
        """Have `work` called once, soon: one slice of something long. Asking twice for the same is asking once."""
        was_idle = not self._work
        self._work[work] = None
        if was_idle:
            self.on_work()

    def has_work(self) -> bool:
        return bool(self._work)

    def run_slice(self) -> None:
        """Carry out the oldest slice that waits; it may ask for another one, which then waits behind the others."""
        if self._work:
            work = next(iter(self._work))
            del self._work[work]
            work()


def _nobody_listens() -> None:
    """Before the shell runs, work waits."""
