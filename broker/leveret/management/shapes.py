"""What each object looks like as JSON: the fields of RabbitMQ 4.x. Counts are those of this moment.

What was counted of an object, its rates and its bytes come from `measured`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus
from weakref import WeakKeyDictionary

from leveret.auth.permissions import Permission, TopicPermission
from leveret.auth.users import User
from leveret.core.binding import Binding, canonical
from leveret.core.channel import ChannelMode
from leveret.core.consumer import Consumer
from leveret.core.consumer_timeout import timeout_ms_of
from leveret.core.counts import QueueCounts
from leveret.core.exchanges import Exchange
from leveret.core.policies import Policy
from leveret.core.queue import Queue
from leveret.core.vhost import VirtualHost
from leveret.handlers.channel import Channel
from leveret.handlers.connection import Connection
from leveret.handlers.connection_state import State
from leveret.shell.listener import host_and_port
from leveret_protocol.fields import Table, plain

Shape = dict[str, Any]

# Of Erlang, where each connection, channel and queue is a process with a memory of its own.
ERLANG: Mapping[str, object] = {
    "reductions": 0,
    "garbage_collection": {
        "fullsweep_after": 0, "max_heap_size": 0, "min_bin_vheap_size": 0, "min_heap_size": 0, "minor_gcs": 0,
    },
}  # fmt: skip


def json_of(value: Any) -> Any:
    """Without what JSON does not have: infinite numbers are text."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {key: json_of(item) for key, item in value.items()}
        case list():
            return [json_of(item) for item in value]
    return value


def table(arguments: Table) -> Shape:
    return {name: json_of(plain(field)) for name, field in arguments.items()}


# -- queues ---------------------------------------------------------------------------------------------------------


def queue(queue: Queue, *, has_details: bool = False) -> Shape:
    """has_details: as the answer to a request for this one queue."""
    consumers = queue.consumers
    capacity = sum(one.has_room for one in consumers) / len(consumers) if consumers else 0
    ready_count, unacked_count = queue.message_count, queue.unacked_count
    shape: Shape = {
        **_lasting(queue), "messages": ready_count + unacked_count, "messages_ready": ready_count,
        "messages_unacknowledged": unacked_count, "consumers": len(consumers), "consumer_utilisation": capacity,
        "consumer_capacity": capacity,
    }  # fmt: skip
    active = None if queue.active_consumer is None else queue.active_consumer.tag
    if queue.type_name == "classic":
        shape["exclusive_consumer_tag"] = consumers[0].tag if consumers and consumers[0].exclusive else None
        shape["single_active_consumer_tag"] = active
        shape["backing_queue_status"] = {"len": ready_count, "mode": "default", "version": 2}
    else:
        shape["single_active_consumer_ctag"] = active
    if has_details:
        shape |= {"consumer_details": [consumer(one) for one in consumers], "incoming": [], "deliveries": []}
    return shape


# What does not change of a queue while these policies apply. Lists ask for it again and again.
_remembered: WeakKeyDictionary[QueueCounts, tuple[Sequence[Policy], Sequence[Policy], Shape]] = WeakKeyDictionary()


def _lasting(queue: Queue) -> Shape:
    vhost = queue.vhost
    policies, operator_policies = vhost.policies.ranked, vhost.operator_policies.ranked
    known = _remembered.get(queue.counts)
    if known is not None and known[0] is policies and known[1] is operator_policies:
        return known[2]
    node_name = vhost.node.name
    policy = vhost.effective_policy(queue)
    shape: Shape = {
        "name": queue.name, "vhost": vhost.name, "node": node_name, "type": queue.type_name,
        "durable": queue.durable, "auto_delete": queue.auto_delete, "exclusive": queue.owner is not None,
        "arguments": table(queue.arguments), "state": "running", "policy": policy.policy,
        "operator_policy": policy.operator_policy, "effective_policy_definition": json_of({**policy.definition}),
        **ERLANG,
    }  # fmt: skip
    if queue.type_name != "classic":
        shape |= {
            "leader": node_name, "members": [node_name], "online": [node_name], "open_files": {node_name: 0},
            "delivery_limit": _delivery_limit(queue),
        }  # fmt: skip
    if isinstance(queue.owner, Connection):
        shape["owner_pid_details"] = _connection_details(queue.owner)
    _remembered[queue.counts] = policies, operator_policies, shape
    return shape


def _delivery_limit(queue: Queue) -> int | str:
    limit = queue.settings.delivery_limit
    return "unlimited" if limit is None else limit


def message_counts(queues: Iterable[Queue]) -> Shape:
    ready_count = unacked_count = 0
    for one in queues:
        ready_count += one.message_count
        unacked_count += one.unacked_count
    return {
        "messages": ready_count + unacked_count,
        "messages_ready": ready_count,
        "messages_unacknowledged": unacked_count,
    }


def consumer(consumer: Consumer) -> Shape:
    queue, origin = consumer.queue, consumer.channel.origin
    is_waiting = queue.active_consumer is not None and queue.active_consumer is not consumer
    single = queue.active_consumer is consumer
    peer_host, peer_port = host_and_port(origin.connection_name.partition(" -> ")[0])
    return {
        "consumer_tag": consumer.tag, "queue": {"name": queue.name, "vhost": queue.vhost.name},
        "channel_details": {
            "name": f"{origin.connection_name} ({origin.channel_number})", "number": origin.channel_number,
            "connection_name": origin.connection_name, "node": queue.vhost.node.name, "peer_host": peer_host,
            "peer_port": peer_port, "user": origin.user_name,
        },
        "ack_required": not consumer.no_ack, "exclusive": consumer.exclusive, "active": not is_waiting,
        "activity_status": "waiting" if is_waiting else "single_active" if single else "up",
        "prefetch_count": consumer.prefetch_count, "arguments": table(consumer.arguments),
        "consumer_timeout": timeout_ms_of(queue) or 0,
    }  # fmt: skip


# -- exchanges and bindings -----------------------------------------------------------------------------------------


def exchange(exchange: Exchange, *, has_details: bool = False) -> Shape:
    policy = exchange.vhost.effective_policy(exchange).policy
    return {
        "name": exchange.name, "vhost": exchange.vhost.name, "type": exchange.type_name, "durable": exchange.durable,
        "auto_delete": exchange.auto_delete, "internal": exchange.internal, "arguments": table(exchange.arguments),
        "user_who_performed_action": exchange.created_by,
        **({} if policy is None else {"policy": policy}),
        **({"incoming": [], "outgoing": []} if has_details else {}),
    }  # fmt: skip


def binding(binding: Binding) -> Shape:
    return {
        "source": binding.source.name, "vhost": binding.source.vhost.name, "destination": binding.destination.name,
        "destination_type": "exchange" if binding.destination.is_exchange else "queue",
        "routing_key": binding.routing_key, "arguments": table(binding.arguments),
        "properties_key": properties_key(binding.routing_key, binding.arguments),
    }  # fmt: skip


def default_binding(queue: Queue) -> Shape:
    """The one that every queue has, with its name."""
    return {
        "source": "", "vhost": queue.vhost.name, "destination": queue.name, "destination_type": "queue",
        "routing_key": queue.name, "arguments": {}, "properties_key": properties_key(queue.name, {}),
    }  # fmt: skip


def properties_key(routing_key: str, arguments: Table) -> str:
    """What a binding is called by in a path. It stays the same for ever: a digest, no hash of this process."""
    key = quote_plus(routing_key.encode("utf-8", "surrogateescape"), safe="").replace("~", "%7E")
    if not arguments:
        return key or "~"
    import hashlib

    digest = hashlib.blake2s(repr(canonical(arguments)).encode("utf-8", "backslashreplace"), digest_size=6)
    return f"{key}~{digest.hexdigest()}"


# -- connections and channels ---------------------------------------------------------------------------------------


def connection(connection: Connection) -> Shape:
    host, port = host_and_port(connection.local)
    peer_host, peer_port = host_and_port(connection.peer)
    tls = connection.tls
    key_exchange, cipher, digest = ("", "", "") if tls is None else tls.suite_parts()
    certificate = None if tls is None else tls.certificate
    properties = table(connection.client_properties)
    named = {"user_provided_name": str(properties["connection_name"])} if "connection_name" in properties else {}
    return {
        "name": connection.name, **named, "node": connection.node.name, "vhost": connection.vhost_name,
        "user": connection.user_name, "user_who_performed_action": connection.user_name, "protocol": "AMQP 0-9-1",
        "type": "network", "state": _connection_state(connection), "connected_at": connection.connected_at_ms,
        "client_properties": properties, "auth_mechanism": connection.mechanism, "host": host, "port": port,
        "peer_host": peer_host, "peer_port": peer_port, "channels": connection.channel_count,
        "channel_max": connection.channel_max, "frame_max": connection.frame_max,
        "timeout": connection.heartbeat_seconds, "ssl": tls is not None,
        "ssl_protocol": "" if tls is None else tls.protocol, "ssl_key_exchange": key_exchange, "ssl_cipher": cipher,
        "ssl_hash": digest, "peer_cert_subject": "" if certificate is None else certificate.subject,
        "peer_cert_issuer": "" if certificate is None else certificate.issuer,
        "peer_cert_validity": "" if certificate is None else certificate.validity, **ERLANG,
    }  # fmt: skip


def _connection_state(connection: Connection) -> str:
    if connection.state is not State.RUNNING:
        return "closing"
    return "blocked" if connection.is_blocked else "running"


def _connection_details(connection: Connection) -> Shape:
    peer_host, peer_port = host_and_port(connection.peer)
    return {"name": connection.name, "peer_host": peer_host, "peer_port": peer_port}


def channel_name(channel: Channel) -> str:
    return f"{channel.connection.name} ({channel.number})"


def channel(channel: Channel, *, has_details: bool = False) -> Shape:
    core, user = channel.core, channel.user
    details = {
        "consumer_details": [consumer(one) for one in core.consumers.values()],
        "publishes": [],
        "deliveries": [],
    }
    return {
        "name": channel_name(channel), "number": channel.number, "node": core.vhost.node.name,
        "vhost": core.vhost.name, "user": user, "user_who_performed_action": user, "state": "running",
        "confirm": core.mode is ChannelMode.CONFIRM, "transactional": core.mode is ChannelMode.TX,
        "prefetch_count": core.prefetch_count, "global_prefetch_count": core.limit_count,
        "consumer_count": len(core.consumers), "messages_unacknowledged": len(core.unacked),
        "messages_unconfirmed": core.confirms.unsettled_count,
        "messages_uncommitted": len(core.transaction.publishes),
        "acks_uncommitted": sum(len(deliveries) for deliveries, _ in core.transaction.settlings),
        "pending_raft_commands": 0, "connection_details": _connection_details(channel.connection), **ERLANG,
        **(details if has_details else {}),
    }  # fmt: skip


# -- virtual hosts, users -------------------------------------------------------------------------------------------


def vhost(vhost: VirtualHost) -> Shape:
    metadata = vhost.metadata
    default_queue_type = metadata.default_queue_type or vhost.node.default_queue_type
    known = {
        "description": metadata.description, "tags": [*metadata.tags], "default_queue_type": default_queue_type,
        **({"protected_from_deletion": True} if metadata.is_protected else {}),
    }  # fmt: skip
    return {
        "name": vhost.name, **known, "metadata": known, "tracing": vhost.firehose.is_on,
        "cluster_state": {vhost.node.name: "running"}, "protected_from_deletion": metadata.is_protected,
        **message_counts(vhost.queues.values()),
    }  # fmt: skip


def user(user: User) -> Shape:
    return {
        "name": user.name, "password_hash": user.password_hash, "hashing_algorithm": user.hashing_algorithm,
        "tags": [*user.tags], "limits": {**user.limits},
    }  # fmt: skip


def permission(user_name: str, vhost_name: str, row: Permission) -> Shape:
    return {
        "user": user_name, "vhost": vhost_name, "configure": row.configure, "write": row.write, "read": row.read,
    }  # fmt: skip


def topic_permission(user_name: str, vhost_name: str, exchange_name: str, row: TopicPermission) -> Shape:
    return {
        "user": user_name, "vhost": vhost_name, "exchange": exchange_name, "write": row.write, "read": row.read,
    }  # fmt: skip
