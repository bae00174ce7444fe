"""The broker as a whole: its virtual hosts, and the work that is too long for one turn."""

from __future__ import annotations

from collections.abc import Callable

from leveret.core.timers import Timers
from leveret.core.vhost import VirtualHost
from leveret_protocol.errors import AMQPError, ReplyCode

Work = Callable[[], None]


class Node:
    """All virtual hosts of one broker.

    name: as RabbitMQ's cluster_name, `leveret@<host>`.
    now: the message clock, seconds since 1970. The core has no clock of its own.
    timers: calls by the message clock; the shell calls `timers.run_due` in time, and tests after they moved the clock.
    on_work: called when a slice of work waits that did not before; the shell then calls `run_slice` until `has_work`
    is false, with a flush and a checkpoint in between.
    """

    def __init__(self, name: str = "leveret@localhost", *, now: Callable[[], float]) -> None:
        self.name = name
        self.now = now
        self.timers = Timers(now)
        self.on_work: Callable[[], None] = _nobody_listens
        self.vhosts: dict[str, VirtualHost] = {}
        self._work: dict[Work, None] = {}
        self.add_vhost("/")

    def add_vhost(self, name: str) -> VirtualHost:
        """Create the virtual host with its predeclared exchanges, or answer the one that is there."""
        if name not in self.vhosts:
            self.vhosts[name] = VirtualHost(self, name)
        return self.vhosts[name]

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
