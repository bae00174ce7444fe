"""What clients with typed decoders need: a key that is missing, or of another type, is a failure of a whole list.

The structures are those of michaelklishin/rabbitmq-http-api-rs (rabbitmqadmin v2), and what EasyNetQ's management
client (records without defaults) and NServiceBus need besides.
"""

from __future__ import annotations

from typing import Any

import pytest

from leveret.auth.permissions import TopicPermission
from leveret.management.managed import Listening
from tests.management.conftest import Api


class Int:
    """Not negative, of so many bits."""

    def __init__(self, bits: int) -> None:
        self.bits = bits


class Maybe:
    """May be missing, or null."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


class Default(Maybe):
    """May be missing, but not null."""


def wrong(kind: Any, value: Any, where: str) -> list[str]:
    """Where a decoder would fail."""
    if isinstance(kind, Default):
        return wrong(kind.kind, value, where)
    if isinstance(kind, Maybe):
        return [] if value is None else wrong(kind.kind, value, where)
    if isinstance(kind, Int):
        is_right = type(value) is int and 0 <= value < 2**kind.bits
        return [] if is_right else [f"{where}: {value!r} is no integer of {kind.bits} bits"]
    if isinstance(kind, list):
        if not isinstance(value, list):
            return [f"{where}: {value!r} is no list"]
        return [text for index, item in enumerate(value) for text in wrong(kind[0], item, f"{where}[{index}]")]
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            return [f"{where}: {value!r} is no object"]
        found = []
        for key, of in kind.items():
            if key in value:
                found += wrong(of, value[key], f"{where}.{key}")
            elif not isinstance(of, Maybe):
                found.append(f"{where}.{key} is missing")
        return found
    if kind is float:
        return [] if type(value) in (float, int) else [f"{where}: {value!r} is no number"]
    return [] if type(value) is kind else [f"{where}: {value!r} is no {kind.__name__}"]


U16, U32, U64 = Int(16), Int(32), Int(64)
RATE = {"rate": float}
NAMED = {"name": str, "vhost": str}
GARBAGE = dict.fromkeys(
    ("fullsweep_after", "max_heap_size", "min_bin_vheap_size", "min_heap_size", "minor_gcs"), U32
)  # fmt: skip
RATES = (
    "deliver_get", "publish", "deliver_no_ack", "redeliver", "confirm", "ack", "drop_unroutable", "return_unroutable",
)  # fmt: skip
MESSAGE_STATS = {f"{name}_details": Maybe(RATE) for name in RATES}
LENGTHS = ("messages", "messages_ready", "messages_unacknowledged")
TOTALS = {key: of for name in LENGTHS for key, of in ((name, U64), (f"{name}_details", RATE))}

CONNECTION_DETAILS = {"name": str, "peer_host": str, "peer_port": U32}
CONSUMER = {
    "consumer_tag": str, "active": bool, "ack_required": bool, "prefetch_count": U32, "exclusive": bool,
    "arguments": dict, "consumer_timeout": U64, "queue": NAMED,
    "channel_details": Maybe({
        "number": U32, "name": str, "connection_name": str, "node": str, "peer_host": str, "peer_port": U32,
        "user": str,
    }),
}  # fmt: skip
QUEUE = {
    "name": str, "vhost": str, "type": str, "durable": bool, "auto_delete": bool, "exclusive": bool, "arguments": dict,
    "node": Default(str), "state": Default(str), "leader": Maybe(str), "members": Maybe([str]), "online": Maybe([str]),
    "memory": Default(U64), "consumers": Default(U16), "consumer_utilisation": Default(float),
    "exclusive_consumer_tag": Maybe(str), "policy": Maybe(str), "operator_policy": Maybe(str),
    "effective_policy_definition": dict,  # NServiceBus polls for it
    "message_bytes": Default(U64), "message_bytes_persistent": Default(U64), "message_bytes_ram": Default(U64),
    "message_bytes_ready": Default(U64), "message_bytes_unacknowledged": Default(U64), "messages": U64,
    "messages_persistent": Default(U64), "messages_ram": Default(U64), "messages_unacknowledged": U64,
    "garbage_collection": Maybe(GARBAGE), "message_stats": {"publish": U64, "publish_details": RATE},
}  # fmt: skip
CONNECTION = {
    "name": str, "node": str, "state": Maybe(str), "protocol": str, "user": str, "connected_at": U64,
    "host": Maybe(str), "port": Maybe(U32), "peer_host": Maybe(str), "peer_port": Maybe(U32), "channel_max": Maybe(U16),
    "channels": Default(U16), "vhost": str,
    "client_properties": {
        "connection_name": Default(str), "platform": Default(str), "product": Default(str), "version": Default(str),
        "capabilities": Maybe({
            name: Default(bool) for name in (
                "authentication_failure_close", "basic.nack", "connection.blocked", "consumer_cancel_notify",
                "exchange_exchange_bindings", "publisher_confirms",
            )
        }),
    },
    "recv_oct": U64, "send_oct": U64, "recv_oct_details": RATE, "garbage_collection": GARBAGE,
}  # fmt: skip
CHANNEL = {
    "number": U32, "name": str, "connection_details": CONNECTION_DETAILS, "vhost": str, "state": str,
    "consumer_count": U32, "confirm": bool, "prefetch_count": U32, "messages_unacknowledged": U32,
    "messages_unconfirmed": U32,
}  # fmt: skip
EXCHANGE = {
    "name": str, "vhost": str, "type": str, "durable": bool, "auto_delete": bool, "arguments": dict, "internal": bool,
}  # fmt: skip
BINDING = {
    "vhost": str, "source": str, "destination": str, "destination_type": str, "routing_key": str, "arguments": dict,
    "properties_key": Maybe(str),
}  # fmt: skip
VHOST = {
    "name": str, "tags": Maybe([str]), "description": Maybe(str), "default_queue_type": Maybe(str),
    "metadata": Maybe({"tags": Maybe([str]), "description": Maybe(str), "default_queue_type": Maybe(str)}), **TOTALS,
}  # fmt: skip
POLICY = {
    "name": str, "vhost": str, "pattern": str, "apply-to": str, "priority": Int(15), "definition": dict,
}  # fmt: skip
NODE = {
    "name": str, "uptime": U32, "run_queue": U32, "processors": U32, "os_pid": str, "fd_total": U32,
    "proc_total": U32, "mem_limit": U64, "mem_alarm": bool, "disk_free_limit": U64, "disk_free_alarm": bool,
    "rates_mode": str, "enabled_plugins": [str], "being_drained": bool,
    "applications": Default([{"name": str, "description": str, "version": str}]), "rabbitmq_version": Maybe(str),
    "erlang_version": Maybe(str), "erlang_full_version": Maybe(str), "crypto_lib_version": Maybe(str),
    "fd_used": U32, "sockets_used": U32, "sockets_total": U32, "mem_used": U64, "disk_free": U64, "proc_used": U32,
    "partitions": [str], "running": bool,
}  # fmt: skip
MEMORY = {
    "memory": {
        **dict.fromkeys((
            "connection_readers", "connection_writers", "connection_channels", "connection_other", "queue_procs",
            "quorum_queue_procs", "stream_queue_procs", "stream_queue_replica_reader_procs",
            "stream_queue_coordinator_procs", "plugins", "metadata_store", "other_proc", "metrics", "mgmt_db", "mnesia",
            "quorum_ets", "metadata_store_ets", "other_ets", "binary", "msg_index", "code", "atom", "other_system",
            "allocated_unused", "reserved_unallocated",
        ), U64),
        "strategy": str, "total": {"rss": U64, "allocated": U64, "erlang": U64},
    },
}  # fmt: skip
OVERVIEW = {
    "cluster_name": str, "node": str, "erlang_full_version": str, "erlang_version": str, "rabbitmq_version": str,
    "management_version": str, "crypto_lib_version": Maybe(str), "product_name": str, "product_version": str,
    "cluster_tags": Maybe(dict), "node_tags": Maybe(dict), "statistics_db_event_queue": U64,
    "churn_rates": dict.fromkeys((
        "connection_created", "connection_closed", "queue_declared", "queue_created", "queue_deleted",
        "channel_created", "channel_closed",
    ), U32),
    "queue_totals": TOTALS,
    "object_totals": dict.fromkeys(("connections", "channels", "queues", "exchanges", "consumers"), U64),
    "message_stats": MESSAGE_STATS,
    "listeners": [{"node": str, "protocol": str, "port": U32, "ip_address": str}],
    "contexts": [{"description": str, "path": str, "port": str, "node": str}],
    "disable_stats": bool, "rates_mode": str, "exchange_types": [{"name": str, "description": str, "enabled": bool}],
}  # fmt: skip
PARAMETER = {"name": str, "vhost": str, "component": str, "value": dict}

STRUCTURES = {
    "/overview": OVERVIEW,
    "/nodes": [NODE],
    "/nodes/{n}": NODE,
    "/nodes/{n}/memory": MEMORY,
    "/queues": [QUEUE],
    "/queues/detailed": [QUEUE],
    "/queues?page=1&page_size=2": {
        **dict.fromkeys(("filtered_count", "item_count", "page", "page_count", "page_size", "total_count"), U64),
        "items": [QUEUE],
    },
    "/queues/%2F/q": QUEUE,
    "/queues/%2F/qq": QUEUE,
    "/queues/%2F/exclusive": QUEUE,
    "/exchanges": [EXCHANGE],
    "/exchanges/%2F/amq.topic": EXCHANGE,
    "/bindings": [BINDING],
    "/queues/%2F/q/bindings": [BINDING],
    "/connections": [CONNECTION],
    "/connections/username/guest": [{"name": str, "node": str, "user": str, "vhost": str}],
    "/channels": [CHANNEL],
    "/consumers": [CONSUMER],
    "/vhosts": [VHOST],
    "/vhosts/%2F": VHOST,
    "/users": [{"name": str, "tags": [str], "password_hash": str, "hashing_algorithm": str}],
    "/whoami": {"name": str, "tags": [str]},
    "/permissions": [dict.fromkeys(("user", "vhost", "configure", "read", "write"), str)],
    "/topic-permissions": [dict.fromkeys(("user", "vhost", "exchange", "read", "write"), str)],
    "/policies": [POLICY],
    "/operator-policies": [POLICY],
    "/parameters": [PARAMETER],
    "/global-parameters": [{"name": str}],
    "/vhost-limits": [{"vhost": str, "value": dict}],
    "/user-limits": [{"user": str, "value": dict}],
    "/feature-flags": [dict.fromkeys(("name", "state", "desc", "doc_url", "stability", "provided_by"), str)],
    "/deprecated-features": [dict.fromkeys(("name", "desc", "deprecation_phase", "doc_url", "provided_by"), str)],
    "/cluster-name": {"name": str},
    "/auth/attempts/{n}": [
        {"protocol": str, **dict.fromkeys(("auth_attempts", "auth_attempts_failed", "auth_attempts_succeeded"), U64)}
    ],
    "/definitions": {"users": [dict], "vhosts": [dict], "queues": [dict], "exchanges": [dict], "bindings": [dict]},
}


async def fill(api):
    """Something of everything."""
    harness = api.harness
    vhost = harness.node.vhosts["/"]
    client = harness.connect()
    client.declare("q", durable=True, arguments={"x-max-length": 5})
    client.declare("qq", durable=True, arguments={"x-queue-type": "quorum"})
    client.declare("exclusive", exclusive=True)
    client.declare_exchange("x", "topic")
    client.bind("q", "x", "a.*", {"n": 1})
    client.bind_exchange("amq.fanout", "x", "b")
    client.qos(1)
    for _ in range(3):
        client.publish("x", "a.b", b"x")
    client.publish("", "exclusive", b"x")
    client.get("exclusive")
    client.consume("q", arguments={"x-priority": 1})
    vhost.policies.set("p", pattern="^q", definition={"message-ttl": 600_000})
    vhost.operator_policies.set("o", pattern="^q", definition={"max-length": 50})
    vhost.set_limits({"max-queues": 100})
    harness.users.set_limits("guest", {"max-channels": 100})
    harness.users.permissions.set_topic("guest", "/", "amq.topic", TopicPermission("a", "b"))
    shovel = {"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://"}
    await api.put("/parameters/shovel/%2F/s", {"value": shovel})
    await api.put("/global-parameters/g", {"value": 5})
    for _ in range(2):
        harness.advance(5)
        harness.run_work()


LISTENING = (
    Listening("amqp", "::", 5672), Listening("amqp/ssl", "::", 5671), Listening("http", "::", 15672),
    Listening("https", "127.0.0.1", 15671),
)  # fmt: skip


@pytest.mark.parametrize("path", STRUCTURES)
async def test_what_is_told_can_be_decoded(harness, path):
    api = Api(harness, listening=LISTENING)
    await fill(api)
    told = await api.get(path.replace("{n}", api.node.name))
    assert told not in ([], {})
    assert wrong(STRUCTURES[path], told, path) == []


@pytest.mark.parametrize("path", [path for path in STRUCTURES if "q" not in path])
async def test_so_can_what_a_new_broker_tells(harness, path):
    api = Api(harness)
    assert wrong(STRUCTURES[path], await api.get(path.replace("{n}", api.node.name)), path) == []


async def test_a_message_can_be_decoded(api):
    await fill(api)
    await api.put("/queues/%2F/other")
    for properties in ({}, {"headers": {"n": [1, {"a": True}]}, "delivery_mode": 2, "timestamp": 5}):
        body = {"properties": properties, "routing_key": "other", "payload": "x", "payload_encoding": "string"}
        await api.post("/exchanges/%2F/amq.default/publish", body)
    response = await api.post("/queues/%2F/other/get", {"count": 5, "ackmode": "ack_requeue_true", "encoding": "auto"})
    structure = {
        "payload_bytes": U32, "redelivered": bool, "exchange": str, "routing_key": str, "message_count": U32,
        "properties": dict, "payload": str, "payload_encoding": str,
    }  # fmt: skip
    assert len(response.json()) == 2
    assert wrong([structure], response.json(), "") == []


@pytest.mark.parametrize("check", ["port-listener/1", "protocol-listener/mqtt"])
async def test_a_failed_check_can_be_decoded(api, check):
    response = await api.ask("GET", f"/health/checks/{check}")
    kinds = {"port-listener/1": {"missing": U16}, "protocol-listener/mqtt": {"protocols": [str], "missing": str}}
    assert wrong({"status": str, "reason": str, **kinds[check]}, response.json(), "") == []


async def test_what_nservicebus_needs_to_start(api):
    await fill(api)
    flags = {flag["name"]: flag["state"] for flag in await api.get("/feature-flags")}
    assert flags["stream_queue"] == "enabled"
    queue = await api.get("/queues/%2F/qq")
    assert wrong({"policy": Maybe(str), "effective_policy_definition": dict, "arguments": dict}, queue, "") == []
    assert queue["delivery_limit"] == "unlimited" or wrong(U32, queue["delivery_limit"], "") == []
    policy = {"pattern": "^qq$", "definition": {"delivery-limit": -1}, "apply-to": "quorum_queues", "priority": 9}
    assert await api.put("/policies/%2F/nsb.qq.delivery-limit", policy) == 201
    assert (await api.get("/queues/%2F/qq"))["delivery_limit"] == "unlimited"


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ({"a": U16}, {}, [".a is missing"]),
        ({"a": U16}, {"a": -1}, [".a: -1 is no integer of 16 bits"]),
        ({"a": U16}, {"a": 70000}, [".a: 70000 is no integer of 16 bits"]),
        ({"a": U16}, {"a": True}, [".a: True is no integer of 16 bits"]),
        ({"a": U16}, {"a": 1.0}, [".a: 1.0 is no integer of 16 bits"]),
        ({"a": bool}, {"a": None}, [".a: None is no bool"]),
        ({"a": Default(bool)}, {"a": None}, [".a: None is no bool"]),
        ({"a": Default(bool), "b": Maybe(str)}, {"b": None}, []),
        ({"a": dict}, {"a": []}, [".a: [] is no dict"]),
        ([{"a": float}], [{"a": 1}, {"a": "1"}], ["[1].a: '1' is no number"]),
    ],
)
async def test_a_decoder_fails(kind, value, found):
    assert wrong(kind, value, "") == found
