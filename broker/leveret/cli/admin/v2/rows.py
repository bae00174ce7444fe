"""What rabbitmqadmin shows of each kind of object: the columns, and where in the API's answer their values are.

Names of columns are rabbitmqadmin's, which are not always those of the API.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Show = Callable[[Any], str]


def text(value: Any) -> str:
    """A value on its own; null is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def compact_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def _pairs(value: Any) -> str:
    """An object, a line for each key and none after the last. RabbitMQ has `[]` for an empty one."""
    return "\n".join(f"{key}: {compact_json(value[key])}" for key in sorted(value)) if value else ""


def _lines_of_pairs(value: Any) -> str:
    """The same, and each line ended."""
    return f"{_pairs(value)}\n" if value else ""


def _ended(value: Any) -> str:
    return f"{text(value)}\n"


def _ended_json(value: Any) -> str:
    return f"{compact_json(value)}\n"


def _commas(value: Any) -> str:
    return ", ".join(value or [])


def _lines(value: Any) -> str:
    return "\n".join(value or [])


def _bullets(value: Any) -> str:
    return "\n".join(f"* {name}" for name in sorted(set(value)))


def tags(value: Any) -> str:
    """Those of a cluster or a node."""
    return "\n".join(f'"{key}": {compact_json(value[key])}' for key in sorted(value)) if value else ""


@dataclass(frozen=True)
class Column:
    """path: keys in the answer, `queue.name`. default: where the answer has none."""

    name: str
    path: str
    show: Show = text
    default: Any = None

    def of(self, item: Mapping[str, Any]) -> str:
        value: Any = item
        for key in self.path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return self.show(self.default if value is None else value)


def _columns(*columns: str | Column) -> tuple[Column, ...]:
    return tuple(Column(column, column) if isinstance(column, str) else column for column in columns)


_ARGUMENTS: Final = Column("arguments", "arguments", _pairs)

QUEUES: Final = _columns(
    "name", "vhost", Column("queue_type", "type"), "durable", "auto_delete", "exclusive", _ARGUMENTS,
    Column("node", "node", default="undefined"), "state", "leader", Column("members", "members", _lines),
    Column("online", "online", _lines), Column("memory", "memory", default=0),
    Column("consumer_count", "consumers", default=0),
    Column("consumer_utilisation", "consumer_utilisation", default=0), "policy", "operator_policy",
    Column("message_bytes", "message_bytes", default=0), Column("message_count", "messages", default=0),
    Column("unacknowledged_message_count", "messages_unacknowledged", default=0),
)  # fmt: skip

EXCHANGES: Final = _columns("name", "vhost", Column("exchange_type", "type"), "durable", "auto_delete", _ARGUMENTS)

BINDINGS: Final = _columns(
    "vhost", "source", "destination", "destination_type", "routing_key", _ARGUMENTS, "properties_key"
)

CONNECTIONS: Final = _columns(
    "name", "node", "state", "protocol", Column("username", "user"), "connected_at",
    Column("server_hostname", "host"), Column("server_port", "port"), Column("client_hostname", "peer_host"),
    Column("client_port", "peer_port"), "channel_max", Column("channel_count", "channels", default=0),
)  # fmt: skip

USER_CONNECTIONS: Final = _columns("name", "node", Column("username", "user"), "vhost")

CHANNELS: Final = _columns(
    Column("id", "number"), "name", "vhost", "state", "consumer_count",
    Column("has_publisher_confirms_enabled", "confirm"), "prefetch_count", "messages_unacknowledged",
    "messages_unconfirmed",
)  # fmt: skip

CONSUMERS: Final = _columns(
    Column("vhost", "queue.vhost"), Column("queue", "queue.name"), "consumer_tag", Column("manual_ack", "ack_required"),
    "prefetch_count", "active", "exclusive", Column("arguments", "arguments", _lines_of_pairs),
    Column("delivery_ack_timeout", "consumer_timeout"),
)  # fmt: skip

VHOSTS: Final = _columns("name", Column("tags", "tags", _commas), "description", "default_queue_type")

USERS: Final = _columns("name", Column("tags", "tags", _commas), "password_hash")

PERMISSIONS: Final = _columns("user", "vhost", "configure", "read", "write")

POLICIES: Final = _columns(
    "name", "vhost", "pattern", Column("apply_to", "apply-to"), "priority",
    Column("definition", "definition", _lines_of_pairs),
)  # fmt: skip

PARAMETERS: Final = _columns("name", "vhost", "component", Column("value", "value", _lines_of_pairs))

GLOBAL_PARAMETERS: Final = _columns("name", Column("value", "value", _ended_json))

VHOST_LIMITS: Final = _columns("vhost", Column("limits", "value", _lines_of_pairs))

USER_LIMITS: Final = _columns(Column("username", "user"), Column("limits", "value", _lines_of_pairs))

FEATURE_FLAGS: Final = _columns(
    "name", Column("state", "state", _ended), Column("description", "desc"), "doc_url",
    Column("stability", "stability", _ended), "provided_by",
)  # fmt: skip

DEPRECATED_FEATURES: Final = _columns(
    "name", Column("description", "desc"), Column("deprecation_phase", "deprecation_phase", _ended), "doc_url",
    "provided_by", "state",
)  # fmt: skip

NODES: Final = _columns(
    "name", "uptime", "run_queue", "processors", "os_pid", "fd_total",
    Column("total_erlang_processes", "proc_total"), Column("memory_high_watermark", "mem_limit"),
    Column("has_memory_alarm_in_effect", "mem_alarm"), Column("free_disk_space_low_watermark", "disk_free_limit"),
    Column("has_free_disk_space_alarm_in_effect", "disk_free_alarm"), "rates_mode",
    Column("enabled_plugins", "enabled_plugins", _bullets, ()), "being_drained", "rabbitmq_version", "erlang_version",
    "erlang_full_version", "crypto_lib_version",
)  # fmt: skip

PLUGINS: Final = _columns("node", "name", "state")

MESSAGES: Final = _columns(
    "payload_bytes", "redelivered", "exchange", "routing_key", "message_count",
    Column("properties", "properties", _lines_of_pairs), "payload", "payload_encoding",
)  # fmt: skip

AUTH_ATTEMPTS: Final = _columns(
    Column("Protocol", "protocol"), Column("Number of attempts", "auth_attempts"),
    Column("Failed", "auth_attempts_failed"), Column("Successful", "auth_attempts_succeeded"),
)  # fmt: skip
