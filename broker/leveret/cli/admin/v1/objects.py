"""The kinds of objects that rabbitmqadmin knows, and for each which arguments it takes and where the API has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True)
class Listing:
    """has_vhost: it can be listed for one virtual host. columns: those of a plain listing; none: all there are.

    json_fields: objects that are shown as JSON, and not as columns of their own.
    """

    has_vhost: bool = False
    columns: tuple[str, ...] = ()
    json_fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    """path: below `/api`, with the arguments in braces. mandatory: a tuple in it: one of these.

    optional: with the values that are sent where none is given; None: none is. json_arguments: given as JSON.
    """

    path: str
    mandatory: tuple[str | tuple[str, ...], ...]
    optional: dict[str, Any] = field(default_factory=dict)
    json_arguments: tuple[str, ...] = ()

    @property
    def names(self) -> set[str]:
        names = set(self.optional)
        for argument in self.mandatory:
            names.update([argument] if isinstance(argument, str) else argument)
        return names


LISTED: Final = {
    "connections": Listing(columns=("name", "user", "channels")),
    "channels": Listing(columns=("name", "user")),
    "consumers": Listing(has_vhost=True),
    "exchanges": Listing(has_vhost=True, columns=("name", "type")),
    "queues": Listing(has_vhost=True, columns=("name", "messages")),
    "bindings": Listing(has_vhost=True, columns=("source", "destination", "routing_key")),
    "users": Listing(),
    "vhosts": Listing(columns=("name", "messages")),
    "permissions": Listing(),
    "nodes": Listing(columns=("name", "type", "mem_used")),
    "parameters": Listing(json_fields=("value",)),
    "policies": Listing(json_fields=("definition",)),
    "operator_policies": Listing(json_fields=("definition",)),
    "vhost_limits": Listing(json_fields=("value",)),
    "topic_permissions": Listing(),
}

SHOWN: Final = {
    "overview": Listing(columns=("rabbitmq_version", "cluster_name", "queue_totals.messages", "object_totals.queues")),
}

_EXCHANGE = "/exchanges/{vhost}/{name}"
_QUEUE = "/queues/{vhost}/{name}"
_BINDING = "/bindings/{vhost}/e/{source}/{destination_char}/{destination}"
_VHOST = "/vhosts/{name}"
_USER = "/users/{name}"
_PERMISSION = "/permissions/{vhost}/{user}"
_PARAMETER = "/parameters/{component}/{vhost}/{name}"
_POLICY = "/policies/{vhost}/{name}"
_OPERATOR_POLICY = "/operator-policies/{vhost}/{name}"
_VHOST_LIMIT = "/vhost-limits/{vhost}/{name}"

_POLICY_ARGUMENTS: Final[dict[str, Any]] = {
    "mandatory": ("name", "pattern", "definition"),
    "optional": {"priority": 0, "apply-to": None},
    "json_arguments": ("definition", "priority"),
}

DECLARED: Final = {
    "exchange": Command(
        _EXCHANGE, ("name", "type"),
        {"auto_delete": "false", "durable": "true", "internal": "false", "arguments": {}}, ("arguments",),
    ),
    "queue": Command(
        _QUEUE, ("name",),
        {"auto_delete": "false", "durable": "true", "arguments": {}, "node": None, "queue_type": None}, ("arguments",),
    ),
    "binding": Command(
        _BINDING, ("source", "destination"), {"destination_type": "queue", "routing_key": "", "arguments": {}},
        ("arguments",),
    ),
    "vhost": Command(_VHOST, ("name",), {"tracing": None}),
    "user": Command(_USER, ("name", ("password", "password_hash"), "tags"), {"hashing_algorithm": None}),
    "permission": Command(_PERMISSION, ("vhost", "user", "configure", "write", "read")),
    "parameter": Command(_PARAMETER, ("component", "name", "value"), json_arguments=("value",)),
    "policy": Command(_POLICY, **_POLICY_ARGUMENTS),
    "operator_policy": Command(_OPERATOR_POLICY, **_POLICY_ARGUMENTS),
    "vhost_limit": Command(_VHOST_LIMIT, ("vhost", "name", "value"), json_arguments=("value",)),
}  # fmt: skip

DELETED: Final = {
    "exchange": Command(_EXCHANGE, ("name",)),
    "queue": Command(_QUEUE, ("name",)),
    "binding": Command(
        _BINDING + "/{properties_key}", ("source", "destination_type", "destination"), {"properties_key": "~"}
    ),
    "vhost": Command(_VHOST, ("name",)),
    "user": Command(_USER, ("name",)),
    "permission": Command(_PERMISSION, ("vhost", "user")),
    "parameter": Command(_PARAMETER, ("component", "name")),
    "policy": Command(_POLICY, ("name",)),
    "operator_policy": Command(_OPERATOR_POLICY, ("name",)),
    "vhost_limit": Command(_VHOST_LIMIT, ("vhost", "name")),
}

CLOSED: Final = {"connection": Command("/connections/{name}", ("name",))}

PURGED: Final = {"queue": Command(_QUEUE + "/contents", ("name",))}

MESSAGES: Final = {
    "publish": Command(
        "/exchanges/{vhost}/{exchange}/publish", ("routing_key",),
        {"payload": None, "properties": {}, "exchange": "amq.default", "payload_encoding": "string"}, ("properties",),
    ),
    "get": Command(
        "/queues/{vhost}/{queue}/get", ("queue",),
        {"count": "1", "ackmode": "ack_requeue_true", "payload_file": None, "encoding": "auto"},
    ),
}  # fmt: skip
