"""What everything in the broker has counted, every five seconds: the past that rates and charts are made of.

How this works. A round begins when the node's clock shows a multiple of five seconds. It goes over all there is, a few
hundred objects at a time, so messages do not wait for it. Objects on which nothing has ever happened leave nothing
behind; others leave a sample where something has changed. An object is known by what holds its counts.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from leveret.core.counts import DELIVERED, PUBLISHED, ExchangeCounts, MessageCounts, NodeCounts, QueueCounts, Traffic
from leveret.core.node import Node
from leveret.core.queue import Queue
from leveret.core.vhost import VirtualHost
from leveret.handlers.connection import Connection
from leveret.management import machine
from leveret.management.history import INTERVAL_SECONDS, LONG, SHORT, History

ROUND_OBJECTS = 256  # in one turn: about a millisecond

QUEUE_STATS = ("publish", *DELIVERED, "deliver_get")
MESSAGE_STATS = (*PUBLISHED, *DELIVERED, "deliver_get")
EXCHANGE_STATS = ("publish_in", "publish_out")
OCTETS = ("recv_oct", "send_oct")
GAUGES = ("fd_used", "sockets_used", "proc_used", "mem_used", "disk_free", "context_switches", "gc_num")
LENGTHS = ("messages", "messages_ready", "messages_unacknowledged")
CHURN = {
    "connection_created": "connection.created", "connection_closed": "connection.closed",
    "channel_created": "channel.created", "channel_closed": "channel.closed",
    "queue_declared": None, "queue_created": "queue.created", "queue_deleted": "queue.deleted",
}  # fmt: skip

_queue_stats = attrgetter(*QUEUE_STATS)
_moves = attrgetter("publish", *DELIVERED)  # quickly: most queues of many rest
_message_stats = attrgetter(*MESSAGE_STATS)
_exchange_stats = attrgetter(*EXCHANGE_STATS)
_octets = attrgetter("received_bytes", "sent_bytes")


class Numbers(NamedTuple):
    """names: what RabbitMQ calls them."""

    names: Sequence[str]
    values: Sequence[int]


class Gauges:
    """What the process and the machine have in use, now."""

    def __init__(self, node: Node, data_dir: Path | None) -> None:
        self._node = node
        self._data_dir = data_dir or Path("/")

    def read(self) -> Numbers:
        connection_count = len(self._node.connections)
        values = (
            machine.open_files_count(), connection_count, 1 + connection_count, machine.memory_bytes(),
            shutil.disk_usage(self._data_dir).free, machine.context_switches(), machine.collections(),
        )  # fmt: skip
        return Numbers(GAUGES, values)


# Whose numbers they are: lengths are those of the queue or virtual host itself. A pair is a queue's counts, and the
# name of an exchange: publishes by way of it. Numbers are there to be added.
Counted = (
    MessageCounts
    | ExchangeCounts
    | Traffic
    | NodeCounts
    | Gauges
    | Queue
    | VirtualHost
    | Numbers
    | tuple[QueueCounts, str]
)


def numbers_of(node: Node, counted: Counted) -> Numbers:
    """Those of this moment, or for counts of the last `Node.tally`."""
    match counted:
        case QueueCounts():
            return Numbers(QUEUE_STATS, _queue_stats(counted))
        case MessageCounts():
            return Numbers(MESSAGE_STATS, _message_stats(counted))
        case ExchangeCounts():
            return Numbers(EXCHANGE_STATS, _exchange_stats(counted))
        case Traffic():
            return Numbers(OCTETS, _octets(counted))
        case Queue():
            ready_count, unacked_count = counted.message_count, counted.unacked_count
            return Numbers(LENGTHS, (ready_count + unacked_count, ready_count, unacked_count))
        case VirtualHost():
            ready_count = unacked_count = 0
            for queue in counted.queues.values():
                ready_count += queue.message_count
                unacked_count += queue.unacked_count
            return Numbers(LENGTHS, (ready_count + unacked_count, ready_count, unacked_count))
        case NodeCounts():
            counts = node.events.counts
            return Numbers(
                [*CHURN], [counted.queue_declared if event is None else counts[event] for event in CHURN.values()]
            )
        case Gauges():
            return counted.read()
        case Numbers():
            return counted
        case counts, exchange_name:
            return Numbers(("publish",), (counts.incoming.get(exchange_name, 0),))


class Statistics:
    """Takes samples of a node, from `start` on. data_dir: whose disk is looked at; gauges: see there."""

    def __init__(self, node: Node, data_dir: Path | None = None) -> None:
        self.gauges = Gauges(node, data_dir)
        self.node = node
        self._histories: dict[Counted, History] = {}
        self._round = 0
        self._rest: Iterator[None] | None = None  # of the round that has not ended
        self.started_at = node.now()

    def start(self) -> None:
        """What there is already has not come just now."""
        self.started_at = self.node.now()
        self._begin_round()

    def changed_at(self, *counted: Counted) -> float | None:
        """When something last happened to one of them, to an interval; None: that is not known."""
        histories = (self._histories.get(one) for one in counted)
        return max(
            (one.changed_at for one in histories if one is not None and one.changed_at is not None), default=None
        )

    def history(self, counted: Counted) -> History | None:
        """None: nothing has ever happened to it."""
        return self._histories.get(counted)

    def forget(self) -> None:
        """All there was. Counts go on: who adds them up elsewhere is not to see them fall."""
        for history in self._histories.values():
            history.forget()

    def _next_round(self) -> None:
        now = self.node.now()
        self.node.timers.call_at((now // INTERVAL_SECONDS + 1) * INTERVAL_SECONDS, self._begin_round)

    def _begin_round(self) -> None:
        """While one has not ended yet, there is none: each comes to its end, where what is gone is forgotten."""
        self._next_round()
        if self._rest is not None:
            return
        self.node.tally()
        self._round += 1
        now = self.node.now()
        self._rest = self._steps(now // INTERVAL_SECONDS * INTERVAL_SECONDS)
        self._go_on()

    def _go_on(self) -> None:
        rest = self._rest
        assert rest is not None
        for _ in range(ROUND_OBJECTS):
            try:
                next(rest)
            except StopIteration:
                self._rest = None
                return
        self.node.add_work(self._go_on)

    def _steps(self, at: float) -> Iterator[None]:
        """A step is one object."""
        note = partial(self._note, at)
        note(self.node.counts, LONG)
        note(self.node.counts.traffic, LONG)
        note(self.gauges, LONG)
        for vhost in list(self.node.vhosts.values()):
            lengths = [0, 0, 0]
            for queue in list(vhost.queues.values()):
                if queue.message_count or queue.unacked_count or queue in self._histories:
                    lengths = [sum(pair) for pair in zip(lengths, note(queue), strict=True)]
                if any(_moves(queue.counts)) or queue.counts in self._histories:
                    note(queue.counts)
                    for exchange_name in queue.counts.incoming:
                        note((queue.counts, exchange_name))
                yield
            self._note_values(at, vhost, lengths, LONG)
            note(vhost.counts, LONG)
            note(vhost.traffic, LONG)
            for exchange in list(vhost.exchanges.values()):
                note(exchange.counts)
                yield
        for connection in list(self.node.connections):
            assert isinstance(connection, Connection)
            note(connection.traffic)
            for channel in connection.channels:
                counts = channel.core.counts
                for one in (counts, *counts.by_exchange.values(), *counts.by_queue.values()):
                    note(one)
                yield
            yield
        self._forget_gone()

    def _note(self, at: float, counted: Counted, retention: Sequence[tuple[int, int]] = SHORT) -> Sequence[int]:
        values = numbers_of(self.node, counted).values
        self._note_values(at, counted, values, retention)
        return values

    def _note_values(
        self, at: float, counted: Counted, values: Sequence[int], retention: Sequence[tuple[int, int]]
    ) -> None:
        history = self._histories.get(counted)
        if history is None:
            if not any(values):
                return
            before = values if self._round == 1 else [0] * len(values)
            history = self._histories[counted] = History(before, retention)
        history.seen = self._round
        history.add(at, values)

    def _forget_gone(self) -> None:
        gone = [counted for counted, history in self._histories.items() if history.seen != self._round]
        for counted in gone:
            del self._histories[counted]
