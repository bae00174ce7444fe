"""What is declared and connected, as rabbitmqctl lists it: the facts of the HTTP API, by its names of columns.

A row has what was asked for. Field tables are triples, as rabbitmqctl
prints them in JSON.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from leveret.core.body_bytes import Held, Sums, add_all_held, body_bytes, has_many_unknown, look_at_some
from leveret.core.consumer import Consumer
from leveret.core.queue import Queue
from leveret.core.vhost import VirtualHost
from leveret.handlers.channel import Channel
from leveret.handlers.connection import Connection
from leveret.management import shapes
from leveret.management.measured import bytes_shape
from leveret.management.parameters import parameters_of
from leveret.operations.registry import Host, chosen, operation
from leveret.shell.turns import InTurns
from leveret_protocol.fields import TYPE_NAMES, Field, Table, plain

Row = dict[str, Any]

# Columns that `bytes_shape` has.
_OF_BYTES = ("message_bytes", "messages_ram", "messages_persistent", "messages_paged", "memory", "messages_ready_ram",
             "messages_unacknowledged_ram")  # fmt: skip
Rows = list[Row]


@operation(vhost=str, columns=list)
def list_queues(host: Host, vhost: str, columns: list[str]) -> InTurns[bytes]:
    """No such virtual host has no queues."""
    found = host.node.vhosts.get(vhost)
    has_bytes = any(name.startswith(_OF_BYTES) for name in columns)
    return chosen([] if found is None else _queues(found, has_bytes=has_bytes), columns)


def _queues(vhost: VirtualHost, *, has_bytes: bool) -> Iterator[Row | None]:
    """None: messages have been looked at."""
    held: Held = defaultdict(Sums)
    if has_bytes:
        yield from add_all_held(held, vhost)
    for queue in list(vhost.queues.values()):
        while has_bytes and has_many_unknown(queue):
            look_at_some(queue)
            yield None
        yield _queue(queue, held if has_bytes else None)


def _queue(queue: Queue, held: Mapping[Queue, Sums] | None) -> Row:
    """held: where bytes are asked for, which is more work."""
    shape = shapes.queue(queue)
    if held is not None:
        shape |= bytes_shape(queue, body_bytes(queue, held))
    timestamp = queue.head_timestamp if queue.type_name == "classic" else None
    policy = queue.vhost.effective_policy(queue)
    owner = queue.owner if isinstance(queue.owner, Connection) else None
    first = queue.consumers[0] if queue.consumers and queue.consumers[0].exclusive else None
    return {
        **shape, "head_message_timestamp": "" if timestamp is None else timestamp,
        "arguments": triples(queue.arguments), "owner_pid": "" if owner is None else owner.pid,
        "effective_policy_definition": json.dumps(shapes.json_of({**policy.definition}), separators=(",", ":")),
        "exclusive_consumer_pid": "" if first is None else first.channel.pid,
        **{name: shape.get(name) or "" for name in ("policy", "operator_policy", "exclusive_consumer_tag")},
    }  # fmt: skip


@operation(vhost=str, columns=list)
def list_exchanges(host: Host, vhost: str, columns: list[str]) -> InTurns[bytes]:
    found = host.node.vhosts.get(vhost)
    exchanges = [] if found is None else list(found.exchanges.values())
    return chosen(({**shapes.exchange(one), "arguments": triples(one.arguments)} for one in exchanges), columns)


@operation(vhost=str, columns=list)
def list_bindings(host: Host, vhost: str, columns: list[str]) -> InTurns[bytes]:
    """The default ones of queues come first."""
    found = host.node.vhosts.get(vhost)
    return chosen([] if found is None else _bindings(found), columns)


def _bindings(vhost: VirtualHost) -> Iterator[Row]:
    for queue in list(vhost.queues.values()):
        yield _binding({}, shapes.default_binding(queue))
    for exchange in list(vhost.exchanges.values()):
        for binding in list(exchange.bindings.values()):
            yield _binding(binding.arguments, shapes.binding(binding))


def _binding(arguments: Table, shape: Row) -> Row:
    return {
        "source_name": shape["source"], "source_kind": "exchange", "destination_name": shape["destination"],
        "destination_kind": shape["destination_type"], "routing_key": shape["routing_key"],
        "arguments": sorted(triples(arguments), key=lambda triple: str(triple[0])),  # as RabbitMQ keeps them
    }  # fmt: skip


@operation(columns=list)
def list_connections(host: Host, columns: list[str]) -> InTurns[bytes]:
    return chosen(map(_connection, _connections(host)), columns)


def _connection(connection: Connection) -> Row:
    traffic = connection.traffic
    return {
        **shapes.connection(connection), "pid": connection.pid, "protocol": [0, 9, 1],
        "client_properties": triples(connection.client_properties), "recv_oct": traffic.received_bytes,
        "recv_cnt": traffic.received_count, "send_oct": traffic.sent_bytes, "send_cnt": traffic.sent_count,
        "send_pend": traffic.unsent_bytes,
    }  # fmt: skip


@operation(columns=list)
def list_channels(host: Host, columns: list[str]) -> InTurns[bytes]:
    return chosen((_channel(channel) for one in _connections(host) for channel in one.channels), columns)


def _channel(channel: Channel) -> Row:
    return {
        **shapes.channel(channel), "name": f"{channel.connection.name} ({channel.number})",
        "pid": channel.core.pid, "connection": channel.connection.pid,
    }  # fmt: skip


@operation(vhost=str, columns=list)
def list_consumers(host: Host, vhost: str, columns: list[str]) -> InTurns[bytes]:
    found = host.node.vhosts.get(vhost)
    queues = [] if found is None else list(found.queues.values())
    return chosen((_consumer(consumer) for queue in queues for consumer in list(queue.consumers)), columns)


def _consumer(consumer: Consumer) -> Row:
    return {
        **shapes.consumer(consumer), "queue_name": consumer.queue.name, "channel_pid": consumer.channel.pid,
        "arguments": triples(consumer.arguments),
    }  # fmt: skip


def _connections(host: Host) -> list[Connection]:
    return [one for one in host.node.connections if isinstance(one, Connection)]


@operation(columns=list)
def list_vhosts(host: Host, columns: list[str]) -> InTurns[bytes]:
    return chosen(map(shapes.vhost, list(host.node.vhosts.values())), columns)


@operation(vhost=str, is_operator=bool)
def list_policies(host: Host, vhost: str, is_operator: bool) -> Rows:
    found = host.vhost(vhost)
    policies = found.operator_policies if is_operator else found.policies
    return [{**policy.entry(), "definition": _text(policy.definition)} for policy in policies]


@operation(vhost=str)
def list_parameters(host: Host, vhost: str) -> Rows:
    """Without policies, those of operators too."""
    return [
        {"component": one["component"], "name": one["name"], "value": _text(one["value"])}
        for one in parameters_of(host.vhost(vhost))
        if one["component"] != "operator_policy"
    ]


@operation()
def list_global_parameters(host: Host) -> Rows:
    return [{"name": name, "value": _text(value)} for name, value in host.node.parameters]


def _text(value: object) -> str:
    """As RabbitMQ prints it: keys sorted, no spaces."""
    return json.dumps(shapes.json_of(value), separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def triples(arguments: Table) -> list[list[Any]]:
    """`[["x-max-length", "signedint", 1000]]`"""
    return [[name, *_typed(field)] for name, field in arguments.items()]


def _typed(field: Field) -> list[Any]:
    name = TYPE_NAMES[field.tag]
    match field.value:
        case dict(table):
            return [name, triples(table)]
        case list(items):
            return [name, [_typed(item) for item in items]]
    return [name, shapes.json_of(plain(field))]
