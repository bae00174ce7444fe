"""The broker as a whole: its virtual hosts, and the work that is too long for one turn."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from leveret.core.alarms import Alarms
from leveret.core.connections import Connections
from leveret.core.consumer_timeout import CONSUMER_TIMEOUT_MS
from leveret.core.counts import NodeCounts
from leveret.core.event_details import alarm, exchange_created, vhost_created, vhost_deleted, vhost_down
from leveret.core.events import Events
from leveret.core.exchanges.event import EVENT_EXCHANGE, EventExchange
from leveret.core.keeping import Keeper
from leveret.core.kept_definitions import DefinitionKeeper, drop_unnamed_lines, restore
from leveret.core.message import MakeMessage, Message
from leveret.core.metadata import Metadata, ProtectedVirtualHost
from leveret.core.names import INTERNAL_USER
from leveret.core.parameters import CLUSTER_ID, CLUSTER_NAME, GlobalParameters
from leveret.core.returning import Returning
from leveret.core.timers import Timers
from leveret.core.vhost import VirtualHost
from leveret_protocol.errors import AMQPError, ReplyCode

Work = Callable[[], None]

DEFAULT_VHOST = "/"
CLOSED_IN_A_SLICE: Final = 20  # connections; take some 5 ms


def _make_nothing(*_: object, **__: object) -> Message:
    raise RuntimeError("this node was given no way to make messages")


class Node:
    """All virtual hosts of one broker.

    name: `rabbit@<host>`. parameters: the global ones.
    now: the message clock, seconds since 1970. The core has no clock of its own.
    default_queue_type: what virtual hosts get that are made without one, "/" among them. Raises ValueError.
    counts: see `leveret.core.counts`.
    connections: those that have opened a virtual host. alarms: what the broker is low on.
    consumer_timeout_ms: for queues without one of their own; None: there is none (RabbitMQ: ALM-9).
    is_under_maintenance: an operator has drained it; whoever takes connections does not.
    make_message: makes the messages that the broker publishes itself: events, and copies for those who trace.
    events: where observers are registered, and told.
    keeper: of a node with a store; then what the store has is declared again.
    default_vhost: what a new node has, one without definitions; is_new: it was one.
    on_vhost_delete: called before a virtual host goes, with its name and who deletes it.
    returning: what goes back to its queues by slices, of channels that have ended.
    timers: calls by the message clock; the shell calls `timers.run_due` in time, and tests after they moved the clock.
    on_work: called when a slice of work waits that did not before; the shell then calls `run_slice` until `has_work`
    is false, with a flush and a checkpoint in between.
    """

    def __init__(
        self, name: str = "rabbit@localhost", *, now: Callable[[], float], default_queue_type: str = "classic",
        make_message: MakeMessage = _make_nothing, keeper: Keeper | None = None, default_vhost: str = DEFAULT_VHOST,
    ) -> None:  # fmt: skip
        self.name = name
        self.now = now
        self.default_queue_type = default_queue_type
        self.make_message = make_message
        self.connections = Connections()
        self.counts = NodeCounts()
        self.alarms = Alarms(
            self._tell_alarm, lambda name, resource: self.events.tell(name, alarm, resource, self.name)
        )
        self.consumer_timeout_ms: int | None = CONSUMER_TIMEOUT_MS
        self.is_under_maintenance = False
        self.events = Events(now)
        self.keeper = keeper
        self.timers = Timers(now)
        self.on_work: Callable[[], None] = _nobody_listens
        self.on_vhost_delete: Callable[[str, str], None] = _nothing_is_kept
        self.vhosts: dict[str, VirtualHost] = {}
        self.parameters = GlobalParameters(self)
        self.returning: dict[Returning, None] = {}
        self._work: dict[Work, None] = {}
        self._carried_out: dict[Iterator[None], None] = {}
        self._deletions: dict[str, Iterator[None]] = {}
        self._started_seconds = int(now())
        self._pids = itertools.count(1)
        definitions = [] if keeper is None else list(keeper.store.definitions())
        self.is_new = not definitions
        self._default_vhost = default_vhost
        if self.is_new:
            self._record_definitions()
        self.add_vhost(default_vhost, Metadata("Default virtual host"))
        if definitions:
            restore(self, definitions)
            self._record_definitions()
        if keeper is not None:
            drop_unnamed_lines(self)

    @property
    def cluster_name(self) -> str:
        """Told to clients: a global parameter, or the node's name."""
        name = self.parameters[CLUSTER_NAME] if CLUSTER_NAME in self.parameters else None
        return name if isinstance(name, str) else self.name

    @property
    def cluster_id(self) -> str:
        """A global parameter that whoever starts a broker sees to (RabbitMQ); "" where it is gone."""
        return str(self.parameters[CLUSTER_ID]) if CLUSTER_ID in self.parameters else ""

    def _tell_alarm(self, reason: str | None) -> None:
        for connection in self.connections:
            connection.alarmed(reason)

    def tally(self) -> None:
        """Bring all counts up to this moment; see `leveret.core.counts`."""
        for connection in self.connections:
            connection.tally()

    def note_redelivered(self) -> None:
        """Before a clean stop, when everything has come back to its queue: note what was handed out before."""
        for vhost in self.vhosts.values():
            for queue in vhost.queues.values():
                for part in queue.kept_parts():
                    part.note_redelivered()

    def _record_definitions(self) -> None:
        if self.keeper is not None:
            self.events.recorder = DefinitionKeeper(self.keeper).record

    def add_vhost(
        self, name: str, metadata: Metadata = Metadata(), user: str = INTERNAL_USER  # noqa: B008  (it is frozen)
    ) -> VirtualHost:  # fmt: skip
        """Create the virtual host with its predeclared exchanges, or answer the one that is there, unchanged.

        The node's default queue type becomes its own, unless it is given one.
        """
        if name not in self.vhosts:
            default_queue_type = metadata.default_queue_type or self.default_queue_type
            vhost = VirtualHost(self, name, replace(metadata, default_queue_type=default_queue_type))
            self.vhosts[name] = vhost
            for exchange in vhost.exchanges.values():
                self.events.tell("exchange.created", exchange_created, exchange, user)
            self.events.tell("vhost.created", vhost_created, vhost, user)
            if name == self._default_vhost:
                vhost.exchanges[EVENT_EXCHANGE] = EventExchange(
                    vhost, EVENT_EXCHANGE, durable=True, auto_delete=False, internal=True, arguments={}
                )
        return self.vhosts[name]

    def delete_vhost(self, name: str, user: str = INTERNAL_USER) -> Iterator[None]:
        """Delete it with all that is in it, and close its connections: CONNECTION_FORCED (320) (RabbitMQ: CLS-5).

        Where that is much it takes several slices; the answer is for `until_done`. RabbitMQ: its queues
        go one after the other, and it is there, and may be used, until they have.

        Any may be deleted, "/" too. Raises KeyError: there is none of this name; ProtectedVirtualHost.
        """
        vhost = self.vhosts[name]
        if vhost.metadata.is_protected:
            raise ProtectedVirtualHost(name)
        deletion = self._deletions.get(name)
        if deletion is None:
            deletion = self._deletions[name] = self._deleting(vhost, user)
            self.carry_out(deletion)
        return deletion

    def _deleting(self, vhost: VirtualHost, user: str) -> Iterator[None]:
        try:
            self.on_vhost_delete(vhost.name, user)
            yield from vhost.closing(user)
            del self.vhosts[vhost.name]
        finally:  # one that fails can be tried again
            del self._deletions[vhost.name]
        self.events.tell("vhost.deleted", vhost_deleted, vhost, user)
        self.events.tell("vhost.down", vhost_down, vhost)
        for number, connection in enumerate(self.connections.of_vhost(vhost.name), 1):
            connection.force_close(f"vhost '{vhost.name}' is deleted")
            if number % CLOSED_IN_A_SLICE == 0:
                yield

    def vhost(self, name: str) -> VirtualHost:
        """Raises NOT_ALLOWED (530): no such virtual host (RabbitMQ: section 1.5 of the wire behaviour)."""
        try:
            return self.vhosts[name]
        except KeyError:
            raise AMQPError(ReplyCode.NOT_ALLOWED, f"vhost {name} not found") from None

    def new_pid(self) -> str:
        """What events call a connection or a channel by: looks like the Erlang process that it would be in RabbitMQ."""
        return f"<{self.name}.{self._started_seconds}.{next(self._pids)}.0>"

    def add_work(self, work: Work) -> None:
        """Have `work` called once, soon: one slice of something long. Asking twice for the same is asking once."""
        was_idle = not self._work
        self._work[work] = None
        if was_idle:
            self.on_work()

    def carry_out(self, steps: Iterator[None]) -> None:
        """Do something long: the first step now, and each other one as work. No step lasts longer than a slice."""
        self._carried_out[steps] = None
        self._take_step(steps)

    def go_on(self, steps: Iterator[None]) -> None:
        """One more step of it."""
        if steps not in self._carried_out:
            return
        is_over = True
        try:
            next(steps)
            is_over = False
        except StopIteration:
            pass
        finally:
            if is_over:
                del self._carried_out[steps]

    def until_done(self, steps: Iterator[None]) -> Generator[None, None, None]:
        """For whoever waits for it. It goes on also where he does not wait any more."""
        while steps in self._carried_out:
            self.go_on(steps)
            yield

    def _take_step(self, steps: Iterator[None]) -> None:
        self.go_on(steps)
        if steps in self._carried_out:
            self.add_work(partial(self._take_step, steps))

    def finish(self) -> None:
        """Before a clean stop: what is carried out comes to its end."""
        while self._carried_out:
            for steps in list(self._carried_out):
                self.go_on(steps)

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


def _nothing_is_kept(_name: str, _user: str) -> None:
    """Nobody has anything that belongs to virtual hosts."""
