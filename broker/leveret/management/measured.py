"""Objects as JSON with what was counted of them: what `shapes` tells, message_stats, rates, octets.

RabbitMQ leaves message_stats out where nothing has happened; here they are always there, with zeros. And it has
the parts of them (`incoming`, `deliveries` ...) only with `rates_mode = detailed`.

rates: None: statistics are off, or were not asked for (`disable_stats`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from leveret.core.body_bytes import QueueSums
from leveret.core.counts import DELIVERED, MessageCounts, QueueCounts
from leveret.core.exchanges import Exchange
from leveret.core.node import Node
from leveret.core.queue import Queue
from leveret.core.quorum_queue import QuorumQueue
from leveret.core.vhost import VirtualHost
from leveret.handlers.channel import Channel
from leveret.handlers.connection import Connection
from leveret.management import shapes
from leveret.management.answers import encoded
from leveret.management.history import INTERVAL_SECONDS
from leveret.management.rates import Rates
from leveret.management.shapes import Shape
from leveret.management.statistics import LENGTHS, MESSAGE_STATS, Counted, Numbers
from leveret.shell.listener import host_and_port

# What a message takes in memory besides its body, about: the header, the frame, the objects that hold them.
MESSAGE_MEMORY_BYTES = 400

_NO_BYTES = QueueSums()

# What is left of a queue without statistics, and what `enable_queue_totals` brings back.
_QUEUE = (
    "name", "vhost", "node", "type", "durable", "auto_delete", "exclusive", "arguments", "state", "policy",
    "operator_policy", "effective_policy_definition", "leader", "members", "online",
)  # fmt: skip

# Of a channel and an exchange. How many of the confirms were for which exchange is not known.
_PUBLISHES = ("publish", "return_unroutable", "drop_unroutable")
_DELIVERIES = (*DELIVERED, "deliver_get")

# Nobody counts them here: there is no process of Erlang, and the disk is that of the store as a whole.
_REDUCTIONS = Numbers(("reductions",), (0,))
_DISK = Numbers(("disk_reads", "disk_writes"), (0, 0))


def queue(queue: Queue, rates: Rates | None, *, has_details: bool = False, has_totals: bool = False) -> Shape:
    """has_details: as the answer to a request for this one queue. has_totals: its lengths are told in any case."""
    shape = shapes.queue(queue, has_details=has_details)
    if rates is None:
        names = (*_QUEUE, *LENGTHS) if has_totals else _QUEUE
        return {name: shape[name] for name in names if name in shape}
    stats = rates.numbers("msg_rates", queue.counts)
    shape |= {
        **rates.numbers("lengths", queue), "message_stats": stats, **rates.numbers("msg_rates", _REDUCTIONS),
        **_bytes(queue, rates),
    }  # fmt: skip
    idle_since = _idle_since(rates, queue, queue.counts)
    if idle_since is not None:
        shape["idle_since"] = idle_since
    if "backing_queue_status" in shape:
        shape["head_message_timestamp"] = queue.head_timestamp
        shape["backing_queue_status"] |= {
            "avg_ingress_rate": stats["publish_details"]["rate"],
            "avg_egress_rate": stats["deliver_get_details"]["rate"],
            "avg_ack_ingress_rate": stats["deliver_details"]["rate"] + stats["get_details"]["rate"],
            "avg_ack_egress_rate": stats["ack_details"]["rate"],
        }
    if has_details:
        shape["incoming"] = [
            {"exchange": _named(name, queue.vhost), "stats": rates.numbers("msg_rates", (queue.counts, name))}
            for name in queue.counts.incoming
            if name in queue.vhost.exchanges
        ]
        shape["deliveries"] = [
            {"channel_details": _channel_details(channel), "stats": _stats(rates, counts, _DELIVERIES)}
            for channel in _channels(queue.vhost)
            if (counts := channel.core.counts.by_queue.get(queue)) is not None
        ]
    return shape


# Of a queue without consumers, on which nothing happens: what a list had of it, and what that was made from.
_remembered: WeakKeyDictionary[QueueCounts, tuple[object, bytes]] = WeakKeyDictionary()


def queue_octets(one: Queue, rates: Rates | None, *, has_totals: bool = False) -> bytes:
    """What `queue` tells, as JSON: lists of thousands are asked for many times a second.

    Everything that `queue` looks at and that can change has to be in `origin`.
    """
    values = None if rates is None or one.consumers else rates.idle_values(one.counts, one)
    if rates is None or values is None:
        return encoded(queue(one, rates, has_totals=has_totals))
    policies = one.vhost.policies.ranked, one.vhost.operator_policies.ranked
    is_empty = one.type_name == "classic" and not (one.message_count or one.unacked_count)
    bytes_now = () if is_empty else (*_bytes(one, rates).values(), one.head_timestamp)
    origin = (values, _idle_from(rates, one, one.counts), policies, bytes_now)
    known = _remembered.get(one.counts)
    if known is None or known[0] != origin:
        known = _remembered[one.counts] = origin, encoded(queue(one, rates))
    return known[1]


def _bytes(queue: Queue, rates: Rates) -> Shape:
    return bytes_shape(queue, rates.bytes_of(queue) if queue.message_count or queue.unacked_count else _NO_BYTES)


def bytes_shape(queue: Queue, sums: QueueSums) -> Shape:
    """What a queue's messages come to in bytes, and how many of them are where."""
    total, in_memory = sums.all, sums.ready.count + sums.held.count
    in_memory_bytes = sums.ready.size_bytes + sums.held.size_bytes
    shape: Shape = {
        "memory": in_memory_bytes + in_memory * MESSAGE_MEMORY_BYTES,
        "message_bytes": total.size_bytes, "message_bytes_ready": sums.ready.size_bytes + sums.away.size_bytes,
        "message_bytes_unacknowledged": sums.held.size_bytes, "message_bytes_persistent": total.kept_bytes,
        "message_bytes_ram": in_memory_bytes, "messages_persistent": total.kept_count, "messages_ram": in_memory,
        "messages_ready_ram": sums.ready.count, "messages_unacknowledged_ram": sums.held.count,
    }  # fmt: skip
    if isinstance(queue, QuorumQueue):
        dead = queue.dead_letters
        shape["messages_dlx"] = 0 if dead is None else dead.message_count
        shape["message_bytes_dlx"] = 0 if dead is None else dead.message_bytes
    else:
        shape["messages_paged_out"], shape["message_bytes_paged_out"] = sums.away.count, sums.away.size_bytes
    return shape


def exchange(exchange: Exchange, rates: Rates | None, *, has_details: bool = False) -> Shape:
    shape = shapes.exchange(exchange, has_details=has_details)
    if rates is None:
        return shape
    shape["message_stats"] = rates.numbers("msg_rates", exchange.counts)
    if has_details:
        shape["incoming"] = [
            {"channel_details": _channel_details(channel), "stats": _stats(rates, counts, _PUBLISHES)}
            for channel in _channels(exchange.vhost)
            if (counts := channel.core.counts.by_exchange.get(exchange.name)) is not None
        ]
        shape["outgoing"] = [
            {
                "queue": _named(queue.name, queue.vhost),
                "stats": rates.numbers("msg_rates", (queue.counts, exchange.name)),
            }
            for queue in exchange.vhost.queues.values()
            if exchange.name in queue.counts.incoming
        ]
    return shape


def channel(channel: Channel, rates: Rates | None, *, has_details: bool = False) -> Shape:
    shape = shapes.channel(channel, has_details=has_details)
    if rates is None:
        return shape
    core = channel.core
    shape |= {"message_stats": rates.numbers("msg_rates", core.counts), **rates.numbers("msg_rates", _REDUCTIONS)}
    idle_since = _idle_since(rates, core.counts)
    if idle_since is not None:
        shape["idle_since"] = idle_since
    if has_details:
        shape["publishes"] = [
            {"exchange": _named(name, core.vhost), "stats": _stats(rates, counts, _PUBLISHES)}
            for name, counts in core.counts.by_exchange.items()
        ]
        shape["deliveries"] = [
            {"queue": _named(queue.name, core.vhost), "stats": _stats(rates, counts, _DELIVERIES)}
            for queue, counts in core.counts.by_queue.items()
        ]
    return shape


def connection(connection: Connection, rates: Rates | None) -> Shape:
    shape = shapes.connection(connection)
    if rates is None:
        return shape
    traffic = connection.traffic
    return {
        **shape, **rates.numbers("data_rates", traffic), "recv_cnt": traffic.received_count,
        "send_cnt": traffic.sent_count, "send_pend": traffic.unsent_bytes, **rates.numbers("msg_rates", _REDUCTIONS),
    }  # fmt: skip


def vhost(vhost: VirtualHost, rates: Rates | None) -> Shape:
    shape = shapes.vhost(vhost)
    if rates is None:
        return {name: value for name, value in shape.items() if name not in LENGTHS}
    return {
        **shape, **rates.numbers("lengths", vhost), **rates.numbers("data_rates", vhost.traffic),
        "message_stats": rates.numbers("msg_rates", vhost.counts),
    }  # fmt: skip


def overview(node: Node, vhosts: Iterable[VirtualHost], rates: Rates) -> Shape:
    """What the overview tells of these virtual hosts together."""
    lengths: list[Counted] = [*vhosts]
    counts: list[Counted] = [vhost.counts for vhost in vhosts]
    nothing = Numbers(LENGTHS, (0, 0, 0)), Numbers(MESSAGE_STATS, (0,) * len(MESSAGE_STATS))
    return {
        "message_stats": rates.numbers("msg_rates", nothing[1], *counts) | rates.numbers("msg_rates", _DISK),
        "queue_totals": rates.numbers("lengths", nothing[0], *lengths),
        "churn_rates": rates.numbers("msg_rates", node.counts),
    }


def _stats(rates: Rates, counts: MessageCounts, names: Iterable[str]) -> Shape:
    stats = rates.numbers("msg_rates", counts)
    return {part: stats[part] for name in names for part in (name, f"{name}_details")}


def _idle_since(rates: Rates, *counted: Counted) -> str | None:
    idle_from = _idle_from(rates, *counted)
    return None if idle_from is None else datetime.fromtimestamp(idle_from, UTC).isoformat(timespec="milliseconds")


def _idle_from(rates: Rates, *counted: Counted) -> float | None:
    """Since when nothing has happened to it. None: it has, a moment ago, or nothing ever has."""
    changed_at = rates.statistics.changed_at(*counted)
    is_recent = changed_at is not None and rates.statistics.node.now() - changed_at < INTERVAL_SECONDS
    return None if is_recent else changed_at


def _named(name: str, vhost: VirtualHost) -> Shape:
    return {"name": name, "vhost": vhost.name}


def _channels(vhost: VirtualHost) -> Iterator[Channel]:
    for connection in vhost.node.connections.of_vhost(vhost.name):
        if isinstance(connection, Connection):
            yield from connection.channels


def _channel_details(channel: Channel) -> Shape:
    connection = channel.connection
    host, port = host_and_port(connection.peer)
    return {
        "name": shapes.channel_name(channel), "number": channel.number, "user": channel.user,
        "connection_name": connection.name, "peer_host": host, "peer_port": port,
    }  # fmt: skip
