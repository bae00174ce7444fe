"""What is counted, and where the counts are: on each object, on its virtual host, and on the node for ever.

    node.tally()                                  bring all counts up to this moment
    node.counts                                   NodeCounts, which only grow: for Prometheus
    node.events.counts["connection.created"]      the same for all that has an event: connections, channels and queues
    vhost.counts, queue.counts, channel.counts    MessageCounts, with the names that RabbitMQ's message_stats have
    exchange.counts                               ExchangeCounts
    connection.traffic, vhost.traffic             Traffic, of the handlers' Connection, and of all of a virtual host
    control.attempts                              logins, of AccessControl

How this works. The way of most messages has no time for a dozen counts, so it has one: how often a publish with
remembered routes came. `tally` derives everything from that, from the delivery tags of channels, and from what is
counted at slower places; see `leveret.core.tally`. It runs when somebody asks, and whenever something that the
derivation needs is about to change: a route, a channel's mode, the end of a channel. So between two calls of `tally`
counts lag behind, and never lose anything. It takes time for each channel, not for each message.

What an object counted goes with the object; what its virtual host and the node counted stays. So counts of a node never
go down, and those of a virtual host stay when its channels and queues are gone.

RabbitMQ: rabbit_channel (incr_queue_stats, ?INCR_STATS), rabbit_global_counters, rabbit_core_metrics.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

# Bounds in bytes, inclusive; RabbitMQ 4.1: rabbit_msg_size_metrics. Above the last one there is one bucket more.
SIZE_BOUNDS: Final = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000)

QUEUE_TYPES: Final = ("classic", "quorum", "stream")

PUBLISHED: Final = ("publish", "confirm", "return_unroutable", "drop_unroutable")
DELIVERED: Final = ("deliver", "deliver_no_ack", "get", "get_no_ack", "get_empty", "redeliver", "ack")


class MessageCounts:
    """RabbitMQ's message_stats, of a virtual host, a channel, a queue, or of one of them together with another.

    publish: by clients, at tx.commit if there is a transaction; of a queue: those that were routed to it. Dead letters
    and events are published by the broker, and do not count.
    confirm: publishes that were acked to the publisher; one that was nacked is none.
    return_unroutable, drop_unroutable: published and led nowhere; mandatory or not. Of these none is on a queue.
    deliver, deliver_no_ack: to consumers that acknowledge, or do not. get, get_no_ack: by basic.get. get_empty: there
    was nothing. redeliver: those of the deliveries and gets that were not the first of their message.
    ack: of deliveries and gets, at tx.commit if there is a transaction; what was rejected does not count.
    """

    __slots__ = (*PUBLISHED, *DELIVERED)

    def __init__(self) -> None:
        self.publish = self.confirm = self.return_unroutable = self.drop_unroutable = 0
        self.deliver = self.deliver_no_ack = self.get = self.get_no_ack = self.get_empty = 0
        self.redeliver = self.ack = 0

    @property
    def deliver_get(self) -> int:
        """All that left a queue for a client."""
        return self.deliver + self.deliver_no_ack + self.get + self.get_no_ack


class QueueCounts(MessageCounts):
    """incoming: how many came by which exchange, by its name.

    A queue has the same object all its life, so what is known of the queue can be kept by a weak reference to this. A
    queue itself has none where it is compiled.
    """

    __slots__ = ("__weakref__", "incoming")

    def __init__(self) -> None:
        super().__init__()
        self.incoming: dict[str, int] = {}


class ExchangeCounts:
    """publish_in: published to it by clients. publish_out: what came of that, once for each queue. Only the exchange
    that the client named counts, not those on the way (RabbitMQ: queue_exchange_stats)."""

    __slots__ = ("publish_in", "publish_out")

    def __init__(self) -> None:
        self.publish_in = self.publish_out = 0


class Traffic:
    """Octets of a connection on their way: what was read from the kernel and what the kernel took, inside of TLS.

    received_count, sent_count: calls that it took. unsent_bytes: what the kernel has not taken yet.
    """

    __slots__ = ("_tallied", "received_bytes", "received_count", "sent_bytes", "sent_count", "unsent_bytes")

    def __init__(self) -> None:
        self.received_bytes = self.received_count = self.sent_bytes = self.sent_count = self.unsent_bytes = 0
        self._tallied = (0, 0, 0, 0)

    def tally(self, *sums: Traffic) -> None:
        """Bring sums of several connections, always the same ones, up to what has come to this one."""
        now = (self.received_bytes, self.received_count, self.sent_bytes, self.sent_count)
        before, self._tallied = self._tallied, now
        for total in sums:
            total.received_bytes += now[0] - before[0]
            total.received_count += now[1] - before[1]
            total.sent_bytes += now[2] - before[2]
            total.sent_count += now[3] - before[3]


class MessageSizes:
    """How large the bodies were that clients published.

    counts: one for each of SIZE_BOUNDS, of bodies up to it and above the one before; then of those above the last.
    """

    __slots__ = ("counts", "sum_bytes")

    def __init__(self) -> None:
        self.counts = [0] * (len(SIZE_BOUNDS) + 1)
        self.sum_bytes = 0

    def add(self, body_size: int, count: int = 1) -> None:
        self.counts[bisect_left(SIZE_BOUNDS, body_size)] += count
        self.sum_bytes += body_size * count


class NodeCounts:
    """Since the broker was started. None of these ever goes down.

    received, received_confirm: messages from publishers, and those of them on channels in confirm mode; at once, also
    in a transaction. routed: once for each queue. confirmed, unroutable_dropped, _returned: see MessageCounts.
    by_queue_type: classic, quorum and stream, with what their queues delivered, and `publish`: what was routed to them.
    dead_lettered: (queue type, strategy, reason) -> messages that queues gave up. strategy: "disabled" without a
    dead-letter exchange, "at_most_once", "at_least_once"; reason: "expired", "maxlen", "rejected", "delivery_limit".
    dead_letters_confirmed: by queue type, those that at-least-once has brought to all their targets.
    queue_declared: queue.declare that went through, also of queues that were there already, but not passive ones.
    traffic: of all connections, those that have ended among them.
    message_sizes: of what was published by AMQP or HTTP.
    """

    __slots__ = (
        "by_queue_type", "confirmed", "dead_lettered", "dead_letters_confirmed", "message_sizes", "queue_declared",
        "received", "received_confirm", "routed", "traffic", "unroutable_dropped",
        "unroutable_returned",
    )  # fmt: skip

    def __init__(self) -> None:
        self.received = self.received_confirm = self.routed = self.confirmed = 0
        self.unroutable_dropped = self.unroutable_returned = 0
        self.by_queue_type = {queue_type: MessageCounts() for queue_type in QUEUE_TYPES}
        self.dead_lettered: dict[tuple[str, str, str], int] = {}
        self.dead_letters_confirmed = dict.fromkeys(QUEUE_TYPES, 0)
        self.queue_declared = 0
        self.traffic = Traffic()
        self.message_sizes = MessageSizes()

    def dead_letter(self, queue_type: str, strategy: str, reason: str) -> None:
        key = (queue_type, strategy, reason)
        self.dead_lettered[key] = self.dead_lettered.get(key, 0) + 1
