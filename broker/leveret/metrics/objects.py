"""Metrics of queues, channels, connections and exchanges: one sample for each object, or one sum for all of them.

Sums of counters are kept by the node, so that they do not fall when an object goes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from leveret.core.body_bytes import Held, QueueSums, Sums, add_held, body_bytes, has_many_unknown, look_at_some
from leveret.core.counts import MessageCounts
from leveret.core.exchanges import Exchange
from leveret.core.queue import Queue
from leveret.core.vhost import VirtualHost
from leveret.handlers.channel import Channel
from leveret.handlers.connection import Connection
from leveret.metrics.exposition import COUNTER, GAUGE, Number, labels_text
from leveret.metrics.measured import Measured

Measurable = TypeVar("Measurable")
Of = Callable[[Measured], int]


@dataclass(frozen=True, slots=True)
class Metric(Generic[Measurable]):
    """value: of one object. total: of all; None: the sum of their values, now."""

    name: str
    kind: str
    help_text: str
    value: Callable[[Measurable], Number]
    total: Of | None = None


@dataclass(frozen=True, slots=True)
class Group(Generic[Measurable]):
    """What /metrics/detailed can be asked for, by the name of the group.

    objects: what there is of them; None among them: see `_sized`. labels: of one of them.
    vhost_name: where it is, for those that are somewhere.
    """

    name: str
    objects: Callable[[Measured], Iterable[Measurable | None]]
    labels: Callable[[Measurable], str]
    metrics: tuple[Metric[Measurable], ...]
    vhost_name: Callable[[Measurable], str] | None = None


# -- queues ---------------------------------------------------------------------------------------------------------


def _queue_labels(queue: Queue) -> str:
    return labels_text(("vhost", queue.vhost.name), ("queue", queue.name))


def _queue_vhost(queue: Queue) -> str:
    return queue.vhost.name


def _capacity(queue: Queue) -> float:
    """The part of its consumers that could take a message now."""
    able_count = sum(consumer.has_room for consumer in queue.consumers)
    return able_count / len(queue.consumers) if queue.consumers else 0


def _of_counts(attribute: str) -> tuple[Callable[[Any], int], Of]:
    """How an object of any kind has this count of messages, and how the node has it of all that ever were."""

    def of_object(one: Any) -> int:
        return int(getattr(one.counts, attribute))

    def of_node(measured: Measured) -> int:
        return sum(getattr(counts, attribute) for counts in measured.node.counts.by_queue_type.values())

    return of_object, of_node


_CONSUMERS: Final[Metric[Queue]] = Metric(
    "queue_consumers", GAUGE, "Consumers on a queue", lambda queue: len(queue.consumers)
)

QUEUE_COARSE: Final[Group[Queue]] = Group(
    "queue_coarse_metrics", Measured.queues, _queue_labels, (
        Metric(
            "queue_messages_ready", GAUGE, "Messages ready to be delivered to consumers",
            lambda queue: queue.message_count,
        ),
        Metric(
            "queue_messages_unacked", GAUGE, "Messages delivered to consumers but not yet acknowledged",
            lambda queue: queue.unacked_count,
        ),
        Metric(
            "queue_messages", GAUGE, "Sum of ready and unacknowledged messages - total queue depth",
            lambda queue: queue.message_count + queue.unacked_count,
        ),
    ), _queue_vhost,
)  # fmt: skip

QUEUE_CONSUMER_COUNT: Final[Group[Queue]] = Group(
    "queue_consumer_count", Measured.queues, _queue_labels, (_CONSUMERS,), _queue_vhost
)


@dataclass(frozen=True, slots=True)
class _Sized:
    """A queue with what its messages come to."""

    queue: Queue
    sums: QueueSums


def _sized(measured: Measured) -> Iterator[_Sized | None]:
    """What was handed out is looked at first, in slices. None: messages have been looked at."""
    held: Held = defaultdict(Sums)
    for connection in list(measured.node.connections):
        for _ in add_held(held, connection):
            yield None
        yield None
    for queue in measured.queues():
        while has_many_unknown(queue):
            look_at_some(queue)
            yield None
        yield _Sized(queue, body_bytes(queue, held))
        if queue.message_count:
            yield None


def _ram_bytes(one: _Sized) -> int:
    return one.sums.ready.size_bytes + one.sums.held.size_bytes


QUEUES: Final[Group[_Sized]] = Group(
    "queue_metrics", _sized, lambda one: _queue_labels(one.queue), (
        Metric("queue_consumers", GAUGE, _CONSUMERS.help_text, lambda one: _CONSUMERS.value(one.queue)),
        Metric("queue_consumer_capacity", GAUGE, "Consumer capacity", lambda one: _capacity(one.queue)),
        Metric("queue_consumer_utilisation", GAUGE, "Same as consumer capacity", lambda one: _capacity(one.queue)),
        Metric(
            "queue_messages_ram", GAUGE, "Ready and unacknowledged messages stored in memory",
            lambda one: one.sums.ready.count + one.sums.held.count,
        ),
        Metric(
            "queue_messages_ram_bytes", GAUGE, "Size of ready and unacknowledged messages stored in memory", _ram_bytes
        ),
        Metric(
            "queue_messages_ready_ram", GAUGE, "Ready messages stored in memory", lambda one: one.sums.ready.count
        ),
        Metric(
            "queue_messages_unacked_ram", GAUGE, "Unacknowledged messages stored in memory",
            lambda one: one.sums.held.count,
        ),
        Metric(
            "queue_messages_persistent", GAUGE, "Persistent messages", lambda one: one.sums.all.kept_count
        ),
        Metric(
            "queue_messages_persistent_bytes", GAUGE, "Size in bytes of persistent messages",
            lambda one: one.sums.all.kept_bytes,
        ),
        Metric(
            "queue_messages_bytes", GAUGE, "Size in bytes of ready and unacknowledged messages",
            lambda one: one.sums.all.size_bytes,
        ),
        Metric(
            "queue_messages_ready_bytes", GAUGE, "Size in bytes of ready messages",
            lambda one: one.sums.ready.size_bytes + one.sums.away.size_bytes,
        ),
        Metric(
            "queue_messages_unacked_bytes", GAUGE, "Size in bytes of all unacknowledged messages",
            lambda one: one.sums.held.size_bytes,
        ),
        Metric(
            "queue_messages_paged_out", GAUGE, "Messages paged out to disk", lambda one: one.sums.away.count
        ),
        Metric(
            "queue_messages_paged_out_bytes", GAUGE, "Size in bytes of messages paged out to disk",
            lambda one: one.sums.away.size_bytes,
        ),
    ), lambda one: one.queue.vhost.name,
)  # fmt: skip

_DELIVERED: Final = (
    ("get_ack_total", "get", "fetched{0} with basic.get in manual acknowledgement mode"),
    ("get_total", "get_no_ack", "fetched{0} with basic.get in automatic acknowledgement mode"),
    ("messages_delivered_ack_total", "deliver", "delivered{0} to consumers in manual acknowledgement mode"),
    ("messages_delivered_total", "deliver_no_ack", "delivered{0} to consumers in automatic acknowledgement mode"),
    ("messages_redelivered_total", "redeliver", "redelivered{0} to consumers"),
    ("messages_acked_total", "ack", "acknowledged by consumers{1}"),
)  # fmt: skip


def _deliveries(prefix: str, *places: str) -> tuple[Metric[Any], ...]:
    """places: what RabbitMQ's help texts say of where it was."""
    metrics = [
        Metric(prefix + name, COUNTER, f"Total number of messages {text.format(*places)}", *_of_counts(attribute))
        for name, attribute, text in _DELIVERED
    ]
    empty = f"Total number of times basic.get operations fetched no message{places[1]}"
    return *metrics, Metric(f"{prefix}get_empty_total", COUNTER, empty, *_of_counts("get_empty"))


QUEUE_DELIVERY: Final[Group[Queue]] = Group(
    "queue_delivery_metrics", Measured.queues, _queue_labels, _deliveries("queue_", " from a queue", " on a queue"),
    _queue_vhost,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Incoming:
    """What came to a queue by one exchange."""

    queue: Queue
    exchange_name: str
    count: int


def _incoming(measured: Measured) -> Iterator[_Incoming]:
    for queue in measured.queues():
        for exchange_name, count in list(queue.counts.incoming.items()):
            yield _Incoming(queue, exchange_name, count)


QUEUE_EXCHANGE: Final[Group[_Incoming]] = Group(
    "queue_exchange_metrics", _incoming,
    lambda one: labels_text(
        ("vhost", one.queue.vhost.name), ("exchange", one.exchange_name), ("queue", one.queue.name)
    ),
    (
        Metric(
            "queue_exchange_messages_published_total", COUNTER,
            "Total number of messages published into a queue through an exchange",
            lambda one: one.count, _of_counts("publish")[1],
        ),
    ),
    lambda one: one.queue.vhost.name,
)  # fmt: skip

# RabbitMQ has this one for each channel as well.
INCOMING: Final[Group[_Incoming]] = Group(
    "channel_queue_exchange_metrics", _incoming,
    lambda one: labels_text(
        ("queue_vhost", one.queue.vhost.name), ("queue", one.queue.name),
        ("exchange_vhost", one.queue.vhost.name), ("exchange", one.exchange_name),
    ),
    (
        Metric(
            "queue_messages_published_total", COUNTER,
            "Total number of messages published into a queue through an exchange on a channel",
            lambda one: one.count, _of_counts("publish")[1],
        ),
    ),
)  # fmt: skip

# -- channels -------------------------------------------------------------------------------------------------------


def _channel_labels(channel: Channel) -> str:
    return labels_text(("channel", channel.core.pid))


def _acks_uncommitted(channel: Channel) -> int:
    return sum(len(deliveries) for deliveries, _ in channel.core.transaction.settlings)


CHANNELS: Final[Group[Channel]] = Group(
    "channel_metrics", Measured.channels, _channel_labels, (
        Metric(
            "channel_consumers", GAUGE, "Consumers on a channel", lambda channel: len(channel.core.consumers)
        ),
        Metric(
            "channel_messages_unacked", GAUGE, "Delivered but not yet acknowledged messages",
            lambda channel: len(channel.core.unacked),
        ),
        Metric(
            "channel_messages_unconfirmed", GAUGE, "Published but not yet confirmed messages",
            lambda channel: channel.core.confirms.unsettled_count,
        ),
        Metric(
            "channel_messages_uncommitted", GAUGE, "Messages received in a transaction but not yet committed",
            lambda channel: len(channel.core.transaction.publishes),
        ),
        Metric(
            "channel_acks_uncommitted", GAUGE, "Message acknowledgements in a transaction not yet committed",
            _acks_uncommitted,
        ),
        Metric(
            "consumer_prefetch", GAUGE, "Limit of unacknowledged messages for each consumer",
            lambda channel: channel.core.prefetch_count,
        ),
        Metric(
            "channel_prefetch", GAUGE, "Deprecated and will be removed in a future version",
            lambda channel: channel.core.limit_count,
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _With:
    """What a channel counted together with one exchange or one queue. labels: of that."""

    channel: Channel
    labels: str
    counts: MessageCounts


def _with_exchanges(measured: Measured) -> Iterator[_With]:
    for channel in measured.channels():
        for name, counts in list(channel.core.counts.by_exchange.items()):
            yield _With(channel, labels_text(("vhost", channel.core.vhost.name), ("exchange", name)), counts)


def _with_queues(measured: Measured) -> Iterator[_With]:
    for channel in measured.channels():
        for queue, counts in list(channel.core.counts.by_queue.items()):
            yield _With(channel, _queue_labels(queue), counts)


def _with_labels(one: _With) -> str:
    return f"{_channel_labels(one.channel)},{one.labels}"


CHANNEL_EXCHANGE: Final[Group[_With]] = Group(
    "channel_exchange_metrics", _with_exchanges, _with_labels, (
        Metric(
            "channel_messages_published_total", COUNTER,
            "Total number of messages published into an exchange on a channel",
            lambda one: one.counts.publish, lambda measured: measured.node.counts.received,
        ),
        Metric(
            "channel_messages_unroutable_returned_total", COUNTER,
            "Total number of messages published as mandatory into an exchange and returned to the publisher as "
            "unroutable",
            lambda one: one.counts.return_unroutable, lambda measured: measured.node.counts.unroutable_returned,
        ),
        Metric(
            "channel_messages_unroutable_dropped_total", COUNTER,
            "Total number of messages published as non-mandatory into an exchange and dropped as unroutable",
            lambda one: one.counts.drop_unroutable, lambda measured: measured.node.counts.unroutable_dropped,
        ),
    ),
)  # fmt: skip

# RabbitMQ has this one by exchange, too. Here confirms are not counted by exchange: they come later, many at once.
CHANNEL_CONFIRMS: Final[Group[Channel]] = Group(
    "channel_exchange_metrics", Measured.channels, _channel_labels, (
        Metric(
            "channel_messages_confirmed_total", COUNTER,
            "Total number of messages published into an exchange and confirmed on the channel",
            lambda channel: channel.core.counts.confirm, lambda measured: measured.node.counts.confirmed,
        ),
    ),
)  # fmt: skip

CHANNEL_QUEUE: Final[Group[_With]] = Group(
    "channel_queue_metrics", _with_queues, _with_labels, _deliveries("channel_", "", "")
)

# -- connections ----------------------------------------------------------------------------------------------------


def _connection_labels(connection: Connection) -> str:
    """RabbitMQ's label for the process of a connection is `channel`, too."""
    return labels_text(("channel", connection.pid))


CONNECTION_COARSE: Final[Group[Connection]] = Group(
    "connection_coarse_metrics", Measured.connections, _connection_labels, (
        Metric(
            "connection_incoming_bytes_total", COUNTER, "Total number of bytes received on a connection",
            lambda connection: connection.traffic.received_bytes,
            lambda measured: measured.node.counts.traffic.received_bytes,
        ),
        Metric(
            "connection_outgoing_bytes_total", COUNTER, "Total number of bytes sent on a connection",
            lambda connection: connection.traffic.sent_bytes,
            lambda measured: measured.node.counts.traffic.sent_bytes,
        ),
    ),
)  # fmt: skip

CONNECTIONS: Final[Group[Connection]] = Group(
    "connection_metrics", Measured.connections, _connection_labels, (
        Metric(
            "connection_incoming_packets_total", COUNTER, "Total number of packets received on a connection",
            lambda connection: connection.traffic.received_count,
            lambda measured: measured.node.counts.traffic.received_count,
        ),
        Metric(
            "connection_outgoing_packets_total", COUNTER, "Total number of packets sent on a connection",
            lambda connection: connection.traffic.sent_count,
            lambda measured: measured.node.counts.traffic.sent_count,
        ),
        Metric(
            "connection_channels", GAUGE, "Channels on a connection", lambda connection: connection.channel_count
        ),
    ),
)  # fmt: skip

# -- exchanges and virtual hosts ------------------------------------------------------------------------------------


def _exchange_labels(exchange: Exchange) -> str:
    return labels_text(("vhost", exchange.vhost.name), ("exchange", exchange.name), ("type", exchange.type_name))


def _exchange_vhost(exchange: Exchange) -> str:
    return exchange.vhost.name


EXCHANGE_BINDINGS: Final[Group[Exchange]] = Group(
    "exchange_bindings", Measured.exchanges, _exchange_labels, (
        Metric(
            "exchange_bindings", GAUGE, "Number of bindings for an exchange. This value is cluster-wide.",
            lambda exchange: len(exchange.bindings),
        ),
    ), _exchange_vhost,
)  # fmt: skip

EXCHANGE_NAMES: Final[Group[Exchange]] = Group(
    "exchange_names", Measured.exchanges, _exchange_labels, (
        Metric(
            "exchange_name", GAUGE,
            "Enumerates exchanges without any additional info. This value is cluster-wide. A cheaper alternative to "
            "`exchange_bindings`",
            lambda exchange: 1,
        ),
    ), _exchange_vhost,
)  # fmt: skip

VHOST_STATUS: Final[Group[VirtualHost]] = Group(
    "vhost_status", Measured.vhosts, lambda vhost: labels_text(("vhost", vhost.name)), (
        Metric("vhost_status", GAUGE, "Whether a given vhost is running", lambda vhost: 1),
    ), lambda vhost: vhost.name,
)  # fmt: skip

QUEUE_INFO: Final[Group[Queue]] = Group(
    "queue_info", Measured.queues,
    lambda queue: labels_text(
        ("vhost", queue.vhost.name), ("queue", queue.name), ("queue_type", f"rabbit_{queue.type_name}_queue"),
        ("membership", "leader"),
    ),
    (
        Metric(
            "queue_info", GAUGE, "A metric with a constant '1' value and labels that provide some queue details",
            lambda queue: 1,
        ),
    ),
    _queue_vhost,
)  # fmt: skip

# -- all of them ----------------------------------------------------------------------------------------------------

Groups = tuple[Group[Any], ...]

# Of /metrics and /metrics/per-object. QUEUE_CONSUMER_COUNT is a part of QUEUES.
USUAL: Final[Groups] = (
    QUEUE_COARSE, QUEUES, CHANNELS, CHANNEL_EXCHANGE, CHANNEL_CONFIRMS, CHANNEL_QUEUE, CONNECTION_COARSE, CONNECTIONS,
    INCOMING, QUEUE_DELIVERY, QUEUE_EXCHANGE,
)  # fmt: skip

# Only of /metrics/detailed, with a prefix of their own.
OF_CLUSTER: Final[Groups] = (EXCHANGE_BINDINGS, EXCHANGE_NAMES, VHOST_STATUS)
