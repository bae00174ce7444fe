"""Metrics that there is one of: of the node, of what came and went, of all messages by protocol and type of queue."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from leveret.auth.access_control import Attempts
from leveret.core.counts import QUEUE_TYPES, MessageCounts, NodeCounts
from leveret.metrics.exposition import COUNTER, GAUGE, HISTOGRAM, UNTYPED, Number, head, labels_text, metric, sample
from leveret.metrics.measured import Measured

_PROTOCOL: Final = labels_text(("protocol", "amqp091"))


class Simple(NamedTuple):
    """A metric without labels of its own. value: None where the system does not tell."""

    name: str
    kind: str
    help_text: str
    value: Callable[[Measured], Number | None]


def _event(name: str) -> Callable[[Measured], int]:
    return lambda measured: measured.node.events.counts[name]


CHURN: Final = (
    Simple("connections_opened_total", COUNTER, "Total number of connections opened", _event("connection.created")),
    Simple(
        "connections_closed_total", COUNTER, "Total number of connections closed or terminated",
        _event("connection.closed"),
    ),
    Simple("channels_opened_total", COUNTER, "Total number of channels opened", _event("channel.created")),
    Simple("channels_closed_total", COUNTER, "Total number of channels closed", _event("channel.closed")),
    Simple(
        "queues_declared_total", COUNTER, "Total number of queues declared",
        lambda measured: measured.node.counts.queue_declared,
    ),
    Simple("queues_created_total", COUNTER, "Total number of queues created", _event("queue.created")),
    Simple("queues_deleted_total", COUNTER, "Total number of queues deleted", _event("queue.deleted")),
)  # fmt: skip


def _open_files_count(_measured: Measured) -> int | None:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return None


def _files_max(_measured: Measured) -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


NODE_COARSE: Final = (
    Simple("process_open_fds", GAUGE, "Open file descriptors", _open_files_count),
    Simple(
        "process_open_tcp_sockets", GAUGE, "Open TCP sockets", lambda measured: len(measured.node.connections)
    ),
    Simple(
        "process_resident_memory_bytes", GAUGE, "Memory used in bytes",
        lambda measured: measured.watermarks.memory_used_bytes(),
    ),
    Simple(
        "disk_space_available_bytes", GAUGE, "Disk space available in bytes",
        lambda measured: measured.watermarks.disk_free_bytes(),
    ),
)  # fmt: skip

NODE: Final = (
    Simple("process_max_fds", GAUGE, "Open file descriptors limit", _files_max),
    Simple("process_max_tcp_sockets", GAUGE, "Open TCP sockets limit", _files_max),
    Simple(
        "resident_memory_limit_bytes", GAUGE, "Memory high watermark in bytes",
        lambda measured: measured.watermarks.memory_bytes_max,
    ),
    Simple(
        "disk_space_available_limit_bytes", GAUGE, "Free disk space low watermark in bytes",
        lambda measured: measured.watermarks.disk_free_bytes_min,
    ),
    Simple(
        "erlang_uptime_seconds", GAUGE, "Node uptime",
        lambda measured: round(time.time() - measured.started_seconds, 3),
    ),
)  # fmt: skip

# Groups of /metrics/detailed.
BY_GROUP: Final = {"connection_churn_metrics": CHURN, "node_coarse_metrics": NODE_COARSE, "node_metrics": NODE}

ALARMS: Final = (
    Simple(
        "alarms_file_descriptor_limit", UNTYPED, "is 1 if file descriptor limit alarm is in effect", lambda measured: 0
    ),
    Simple(
        "alarms_free_disk_space_watermark", UNTYPED, "is 1 if free disk space watermark alarm is in effect",
        lambda measured: int("disk" in measured.node.alarms.resources),
    ),
    Simple(
        "alarms_memory_used_watermark", UNTYPED, "is 1 if VM memory watermark alarm is in effect",
        lambda measured: int("memory" in measured.node.alarms.resources),
    ),
)  # fmt: skip


@dataclass(slots=True)
class Census:
    """How many there are of what. publishers: channels that have published."""

    connections: int = 0
    channels: int = 0
    consumers: int = 0
    publishers: int = 0
    queues: int = 0


def take_census(measured: Measured) -> Generator[str, None, Census]:
    """Count, and bring all counts of messages up to this moment, a connection at a time; yields nothing to be told."""
    census = Census(queues=sum(len(vhost.queues) for vhost in measured.node.vhosts.values()))
    for connection in measured.connections():
        connection.tally()
        census.connections += 1
        for channel in connection.channels:
            census.channels += 1
            census.consumers += len(channel.core.consumers)
            census.publishers += channel.core.counts.publish > 0
        yield ""
    return census


def objects(census: Census) -> str:
    return "".join(
        metric(f"rabbitmq_{name}", GAUGE, help_text, [("", value)])
        for name, help_text, value in (
            ("connections", "Connections currently open", census.connections),
            ("channels", "Channels currently open", census.channels),
            ("consumers", "Consumers currently connected", census.consumers),
            ("queues", "Queues available", census.queues),
        )
    )


def simple(metrics: tuple[Simple, ...], prefix: str, measured: Measured) -> Iterator[str]:
    for name, kind, help_text, value_of in metrics:
        value = value_of(measured)
        yield metric(prefix + name, kind, help_text, [] if value is None else [("", value)])


def process(measured: Measured) -> str:
    help_text = "Start time of the process since unix epoch in seconds."
    return metric("process_start_time_seconds", GAUGE, help_text, [("", int(measured.started_seconds))])


# -- logins ---------------------------------------------------------------------------------------------------------

AUTH_ATTEMPTS: Final = "auth_attempt_metrics"


_LOGINS: Final[tuple[tuple[str, str, Callable[[Attempts], int]], ...]] = (
    (
        "auth_attempts_total", "Total number of authentication attempts",
        lambda attempts: attempts.succeeded + attempts.failed,
    ),
    (
        "auth_attempts_succeeded_total", "Total number of successful authentication attempts",
        lambda attempts: attempts.succeeded,
    ),
    (
        "auth_attempts_failed_total", "Total number of failed authentication attempts",
        lambda attempts: attempts.failed,
    ),
)  # fmt: skip


def logins(prefix: str, measured: Measured) -> Iterator[str]:
    by_protocol = {"amqp091": Attempts(), **measured.attempts}
    for name, help_text, count in _LOGINS:
        samples = [(labels_text(("protocol", protocol)), count(attempts)) for protocol, attempts in by_protocol.items()]
        yield metric(prefix + name, COUNTER, help_text, samples)


# -- messages -------------------------------------------------------------------------------------------------------

# Name, help text, what of NodeCounts.
_BY_PROTOCOL: Final[tuple[tuple[str, str, Callable[[NodeCounts], int]], ...]] = (
    (
        "messages_received_total", "Total number of messages received from publishers",
        lambda counts: counts.received,
    ),
    (
        "messages_received_confirm_total",
        "Total number of messages received from publishers expecting confirmations",
        lambda counts: counts.received_confirm,
    ),
    (
        "messages_routed_total", "Total number of messages routed to queues or streams",
        lambda counts: counts.routed,
    ),
    (
        "messages_unroutable_dropped_total",
        "Total number of messages published as non-mandatory into an exchange and dropped as unroutable",
        lambda counts: counts.unroutable_dropped,
    ),
    (
        "messages_unroutable_returned_total",
        "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable",
        lambda counts: counts.unroutable_returned,
    ),
    (
        "messages_confirmed_total", "Total number of messages confirmed to publishers",
        lambda counts: counts.confirmed,
    ),
)  # fmt: skip

# Name, help text, what of MessageCounts.
_BY_QUEUE_TYPE: Final[tuple[tuple[str, str, Callable[[MessageCounts], int]], ...]] = (
    (
        "messages_delivered_total", "Total number of messages delivered to consumers",
        lambda counts: counts.deliver_get,
    ),
    (
        "messages_delivered_consume_manual_ack_total",
        "Total number of messages delivered to consumers using basic.consume with manual acknowledgment",
        lambda counts: counts.deliver,
    ),
    (
        "messages_delivered_consume_auto_ack_total",
        "Total number of messages delivered to consumers using basic.consume with automatic acknowledgment",
        lambda counts: counts.deliver_no_ack,
    ),
    (
        "messages_delivered_get_manual_ack_total",
        "Total number of messages delivered to consumers using basic.get with manual acknowledgment",
        lambda counts: counts.get,
    ),
    (
        "messages_delivered_get_auto_ack_total",
        "Total number of messages delivered to consumers using basic.get with automatic acknowledgment",
        lambda counts: counts.get_no_ack,
    ),
    (
        "messages_get_empty_total", "Total number of times basic.get operations fetched no message",
        lambda counts: counts.get_empty,
    ),
    (
        "messages_redelivered_total", "Total number of messages redelivered to consumers",
        lambda counts: counts.redeliver,
    ),
    (
        "messages_acknowledged_total", "Total number of messages acknowledged by consumers",
        lambda counts: counts.ack,
    ),
)  # fmt: skip

# Reason -> help text, and (queue type, strategy) that have it.
_AT_MOST_ONCE: Final = (
    ("classic", "at_most_once"), ("classic", "disabled"), ("quorum", "at_most_once"), ("quorum", "disabled"),
)  # fmt: skip
_AT_LEAST_ONCE: Final = ("quorum", "at_least_once")
_DEAD_LETTERS: Final = (
    ("maxlen", "due to overflow drop-head or reject-publish-dlx", _AT_MOST_ONCE),
    ("expired", "due to message TTL exceeded", (*_AT_MOST_ONCE, _AT_LEAST_ONCE)),
    ("rejected", "due to basic.reject or basic.nack", (*_AT_MOST_ONCE, _AT_LEAST_ONCE)),
    ("delivery_limit", "due to delivery-limit exceeded", (*_AT_MOST_ONCE[2:], _AT_LEAST_ONCE)),
)  # fmt: skip


def messages(counts: NodeCounts, census: Census) -> Iterator[str]:
    """RabbitMQ's global counters: rabbit_global_counters, rabbit_msg_size_metrics."""
    for name, help_text, of_node in _BY_PROTOCOL:
        yield metric(f"rabbitmq_global_{name}", COUNTER, help_text, [(_PROTOCOL, of_node(counts))])
    for name, value in (("publishers", census.publishers), ("consumers", census.consumers)):
        yield metric(f"rabbitmq_global_{name}", GAUGE, f"Current number of {name}", [(_PROTOCOL, value)])
    for name, help_text, of_type in _BY_QUEUE_TYPE:
        samples = [
            (
                labels_text(("protocol", "amqp091"), ("queue_type", _queue_type(queue_type))),
                of_type(counts.by_queue_type[queue_type]),
            )
            for queue_type in QUEUE_TYPES
        ]
        yield metric(f"rabbitmq_global_{name}", COUNTER, help_text, samples)
    yield from _dead_letters(counts)
    yield _message_sizes(counts)


def _queue_type(name: str) -> str:
    """RabbitMQ's modules are told."""
    return f"rabbit_{name}_queue"


def _dead_letters(counts: NodeCounts) -> Iterator[str]:
    for reason, words, combinations in _DEAD_LETTERS:
        samples = [
            (_strategy(queue_type, strategy), counts.dead_lettered.get((queue_type, strategy, reason), 0))
            for queue_type, strategy in combinations
        ]
        help_text = f"Total number of messages dead-lettered {words}"
        yield metric(f"rabbitmq_global_messages_dead_lettered_{reason}_total", COUNTER, help_text, samples)
    yield metric(
        "rabbitmq_global_messages_dead_lettered_confirmed_total", COUNTER,
        "Total number of messages dead-lettered and confirmed by target queues",
        [(_strategy(*_AT_LEAST_ONCE), counts.dead_letters_confirmed["quorum"])],
    )  # fmt: skip


def _strategy(queue_type: str, strategy: str) -> str:
    return labels_text(("queue_type", _queue_type(queue_type)), ("dead_letter_strategy", strategy))


# Of leveret.core.counts.SIZE_BOUNDS, as the dashboard asks for them.
_BOUND_TEXTS: Final = ("100.0", "1000.0", "10000.0", "100000.0", "1e+06", "1e+07", "5e+07", "1e+08", "+Inf")


def _message_sizes(counts: NodeCounts) -> str:
    name, sizes = "rabbitmq_message_size_bytes", counts.message_sizes
    parts = [head(name, HISTOGRAM, "Size of messages received from publishers")]
    up_to = 0
    for bound, count in zip(_BOUND_TEXTS, sizes.counts, strict=True):
        up_to += count
        parts.append(sample(f"{name}_bucket", f'{_PROTOCOL},le="{bound}"', up_to))
    parts.append(sample(f"{name}_count", _PROTOCOL, up_to))
    parts.append(sample(f"{name}_sum", _PROTOCOL, sizes.sum_bytes))
    return "".join(parts)
