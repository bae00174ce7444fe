"""What RabbitMQ tells of each event: the names, the order and the types of its details (XT-24).

As 3.10 was seen to send them; where the source of 4.2 has others, those.

`user` is always who did it; what the broker does of its own accord is done by INTERNAL_USER.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leveret.core.arguments import erlang_entry, erlang_term
from leveret.core.names import INTERNAL_USER
from leveret_protocol.fields import Field, Table

if TYPE_CHECKING:
    from leveret.core.binding import Binding
    from leveret.core.channel import Channel
    from leveret.core.consumer import Consumer
    from leveret.core.exchanges.base import Exchange
    from leveret.core.policies import Policy
    from leveret.core.queue import Queue
    from leveret.core.topology import Topology
    from leveret.core.vhost import VirtualHost

USER = "user_who_performed_action"
SINGLE_MAX = (2 - 2**-23) * 2.0**127
PLAIN_ATOM = re.compile(r"[a-z][a-zA-Z0-9_@]*")  # Erlang prints others in quotes


# -- types ----------------------------------------------------------------------------------------------------------


def detail(value: object) -> Field:
    """As RabbitMQ's event exchange has it on the wire: all integers are 64 bits wide, floats are single.

    JSON comes as Python reads it: None is the atom null. As in the headers themselves, the last entry comes first. Of
    integers the low 64 bits are left, as in RabbitMQ; a float that is too large is the largest one.
    """
    match value:
        case None:
            return Field("S", "null")
        case bool():
            return Field("t", value)
        case int():
            return Field("l", (value + 2**63) % 2**64 - 2**63)
        case float():
            return Field("f", max(-SINGLE_MAX, min(value, SINGLE_MAX)))
        case str():
            return Field("S", value)
        case Mapping() if value:
            return Field("F", dict(reversed(details(value).items())))
        case Mapping():
            return Field("A", [])
        case list() | tuple():
            return Field("A", [detail(item) for item in value])
    raise TypeError(f"no event has a {type(value).__name__}")


def details(values: Mapping[str, Any]) -> Table:
    return {name: detail(value) for name, value in values.items()}


def printed(arguments: Table) -> list[str]:
    """A table of a client: an array of what Erlang prints for its entries, `{<<"x-max-length">>,long,10}`."""
    return [erlang_entry(name, field) for name, field in arguments.items()]


# -- queues, exchanges, bindings ------------------------------------------------------------------------------------


def queue_created(queue: Queue, user: str) -> Table:
    named = {"vhost": queue.vhost.name, "name": queue.name, "durable": queue.durable, "auto_delete": queue.auto_delete}
    arguments, type_name = printed(queue.arguments), _queue_type(queue)
    if queue.type_name != "classic":
        return details({**named, "exclusive": False, "type": type_name, "arguments": arguments, USER: user})
    node_name = queue.vhost.node.name
    return details(
        {
            **named,
            "arguments": arguments,
            "owner_pid": "" if queue.owner is None else _pid(queue.owner),
            "exclusive": queue.owner is not None,
            USER: user,
            "leader": node_name,
            "members": [node_name],
            "type": type_name,
        }
    )


def queue_deleted(queue: Queue, user: str) -> Table:
    return details({"vhost": queue.vhost.name, "name": queue.name, "type": _queue_type(queue), USER: user})


def _queue_type(queue: Queue) -> str:
    return f"rabbit_{queue.type_name}_queue"


def _pid(owner: object) -> str:
    """Owners are connections. The core only compares them, so it does not know their type."""
    return str(getattr(owner, "pid", ""))


def exchange_created(exchange: Exchange, user: str) -> Table:
    return details(
        {
            "vhost": exchange.vhost.name,
            "name": exchange.name,
            "type": exchange.type_name,
            "durable": exchange.durable,
            "auto_delete": exchange.auto_delete,
            "internal": exchange.internal,
            "arguments": printed(exchange.arguments),
            "policy": exchange.vhost.effective_policy(exchange).policy or "",
            USER: user,
        }
    )


def exchange_deleted(exchange: Exchange, user: str) -> Table:
    return details({"vhost": exchange.vhost.name, "name": exchange.name, USER: user})


def binding_changed(binding: Binding, user: str) -> Table:
    """Of binding.created and binding.deleted."""
    return details(
        {
            "source_name": binding.source.name,
            "source_kind": "exchange",
            "destination_name": binding.destination.name,
            "destination_kind": "exchange" if binding.destination.is_exchange else "queue",
            "routing_key": binding.routing_key,
            "arguments": printed(dict(sorted(binding.arguments.items()))),
            "vhost": binding.source.vhost.name,
            USER: user,
        }
    )


# -- channels and consumers -----------------------------------------------------------------------------------------


def channel_created(channel: Channel) -> Table:
    origin = channel.origin
    return details(
        {
            "pid": channel.pid,
            "name": f"{origin.connection_name} ({origin.channel_number})",
            "connection": origin.connection_pid,
            "number": origin.channel_number,
            "user": origin.user_name,
            "vhost": channel.vhost.name,
            USER: origin.user_name,
        }
    )


def channel_closed(channel: Channel, consumer_count: int) -> Table:
    """From RabbitMQ 3.13 on a classic queue tells nothing of consumers that go with their channel: here is how many."""
    return details({"pid": channel.pid, USER: channel.origin.user_name, "consumer_count": consumer_count})


def consumer_created(consumer: Consumer) -> Table:
    return details(
        {
            "consumer_tag": consumer.tag,
            "exclusive": consumer.exclusive,
            "ack_required": not consumer.no_ack,
            "channel": consumer.channel.pid,
            "vhost": consumer.queue.vhost.name,
            "queue": consumer.queue.name,
            "prefetch_count": consumer.channel.prefetch_count,
            "arguments": printed(consumer.arguments),
            USER: consumer.channel.origin.user_name,
        }
    )


def consumer_deleted(consumer: Consumer, user: str | None) -> Table:
    """user: None where the channel tells it, which does not say whose doing it was."""
    who = {} if user is None else {USER: user}
    return details(
        {
            "consumer_tag": consumer.tag,
            "channel": consumer.channel.pid,
            "vhost": consumer.queue.vhost.name,
            "queue": consumer.queue.name,
            **who,
        }
    )


# -- policies -------------------------------------------------------------------------------------------------------


def policy_set(policy: Policy, user: str) -> Table:
    return details({"name": policy.name, "vhost": policy.vhost, USER: user, **policy_terms(policy)})


def policy_cleared(policy: Policy, user: str) -> Table:
    """Of policy.cleared and operator.policy.cleared."""
    return details({"name": policy.name, "vhost": policy.vhost, USER: user})


def queue_policy_updated(queue: Queue, policy: Policy, user: str) -> Table:
    """policy: the one that was set, not the one that applies to the queue now."""
    return {**queue_policy_cleared(queue, user), **details(policy_terms(policy))}


def queue_policy_cleared(queue: Queue, user: str) -> Table:
    return details({"name": queue.name, "vhost": queue.vhost.name, "type": _queue_type(queue), USER: user})


def policy_terms(policy: Policy) -> dict[str, object]:
    return {
        "pattern": policy.pattern,
        "definition": dict(sorted(policy.definition.items())),
        "priority": policy.priority,
        "apply-to": policy.apply_to,
    }


# -- virtual hosts --------------------------------------------------------------------------------------------------


def vhost_created(vhost: VirtualHost, user: str) -> Table:
    metadata = vhost.metadata
    return details(
        {
            "name": vhost.name,
            "default_queue_type": metadata.default_queue_type or vhost.node.default_queue_type,
            "protected_from_deletion": metadata.is_protected,
            "metadata": _printed_metadata(vhost),
            "tracing": vhost.firehose.is_on,
            "cluster_state": {vhost.node.name: "running"},
            USER: user,
            "description": metadata.description,
            "tags": metadata.tags,
        }
    )


def _printed_metadata(vhost: VirtualHost) -> str:
    """An Erlang map; tags are atoms."""
    metadata = vhost.metadata
    tags = ",".join(tag if PLAIN_ATOM.fullmatch(tag) else f"'{tag}'" for tag in metadata.tags)
    default_queue_type = metadata.default_queue_type or vhost.node.default_queue_type
    return (
        f"#{{default_queue_type => {erlang_term(default_queue_type)},"
        f"description => {erlang_term(metadata.description)},tags => [{tags}]}}"
    )


def vhost_deleted(vhost: VirtualHost, user: str) -> Table:
    return details({"name": vhost.name, USER: user})


def vhost_down(vhost: VirtualHost) -> Table:
    return details({"name": vhost.name, "node": vhost.node.name, USER: INTERNAL_USER})


def alarm(resource: str, node_name: str) -> Table:
    """Of alarm.set and alarm.cleared."""
    return details({"source": resource, "node": node_name})


def vhost_limits_set(vhost: VirtualHost, user: str) -> Table:
    return details({"name": "limits", "vhost": vhost.name, USER: user, **vhost.limits})


def vhost_limits_cleared(vhost: VirtualHost, user: str) -> Table:
    return details({"name": "limits", "vhost": vhost.name, USER: user})


# -- runtime parameters ---------------------------------------------------------------------------------------------


def parameter_set(vhost: Topology | None, component: str, name: str, value: object, user: str) -> Table:
    """vhost: None for a global parameter."""
    return {**_parameter(vhost, component, name), "value": detail(value), USER: detail(user)}


def parameter_cleared(vhost: Topology | None, component: str, name: str, user: str) -> Table:
    return {**_parameter(vhost, component, name), USER: detail(user)}


def _parameter(vhost: Topology | None, component: str, name: str) -> Table:
    where = {} if vhost is None else {"vhost": vhost.name}
    return details({**where, "component": component, "name": name})
