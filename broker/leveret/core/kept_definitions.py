"""What is declared durably, in the store: noted when it happens, and declared again when a broker starts.

How this works. Everything that is declared or deleted passes `Events.tell`; `DefinitionKeeper.record` is told there of
what it was, and notes it. A definition is JSON; what it means is between `record` and `restore`, and changes with the
store's format number.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from leveret.core.metadata import Metadata
from leveret.core.names import INTERNAL_USER, RESERVED_PREFIX
from leveret_protocol.fields import Field, Table

if TYPE_CHECKING:
    from leveret.core.binding import Binding, Destination
    from leveret.core.exchanges import Exchange
    from leveret.core.keeping import Keeper
    from leveret.core.node import Node
    from leveret.core.parameters import Parameter
    from leveret.core.policies import Policy
    from leveret.core.queue import Queue
    from leveret.core.vhost import VirtualHost
    from leveret.storage.base import Definition, Line


logger = logging.getLogger("leveret.definitions")


class DefinitionKeeper:
    """Notes in the store what observers are told of."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._record: dict[str, Callable[[Any], None]] = {
            "vhost.created": self._vhost,
            "vhost.deleted": self._vhost_deleted,
            "vhost.limits.set": self._vhost,
            "vhost.metadata": self._vhost,
            "vhost.limits.cleared": self._vhost,
            "exchange.created": self._exchange,
            "exchange.deleted": self._exchange_deleted,
            "queue.created": self._queue,
            "queue.deleted": self._queue_deleted,
            "binding.created": self._binding,
            "binding.deleted": self._binding_deleted,
            "policy.kept": self._policy,
            "policy.forgotten": self._policy_cleared,
            "parameter.kept": self._parameter,
            "parameter.forgotten": self._parameter_forgotten,
        }

    def record(self, event: str, subject: Any) -> None:
        """event: its name; subject: what it is about."""
        record = self._record.get(event)
        if record is not None:
            record(subject)

    def _vhost(self, vhost: VirtualHost) -> None:
        metadata = vhost.metadata
        value = {
            "description": metadata.description,
            "tags": metadata.tags,
            "default_queue_type": metadata.default_queue_type,
            "protected_from_deletion": metadata.is_protected,
            "limits": dict(vhost.limits),
        }
        self._define("vhost", [vhost.name], value)

    def _vhost_deleted(self, vhost: VirtualHost) -> None:
        self._undefine("vhost", [vhost.name])

    def _exchange(self, exchange: Exchange) -> None:
        if exchange.durable and not exchange.name.startswith(RESERVED_PREFIX) and exchange.name:
            value = {
                "type": exchange.type_name,
                "auto_delete": exchange.auto_delete,
                "internal": exchange.internal,
                "arguments": _encoded(exchange.arguments),
                "created_by": exchange.created_by,
                "lines": [line.id for line in exchange.lines()],
            }
            self._define("exchange", [exchange.vhost.name, exchange.name], value)

    def _exchange_deleted(self, exchange: Exchange) -> None:
        if exchange.durable:
            self._undefine("exchange", [exchange.vhost.name, exchange.name])

    def _queue(self, queue: Queue) -> None:
        if queue.durable:
            value = {
                "auto_delete": queue.auto_delete,
                "arguments": _encoded(queue.arguments),
                "created_by": queue.created_by,
                "lines": [part.line.id for part in queue.kept_parts()],
            }
            self._define("queue", [queue.vhost.name, queue.name], value)

    def _queue_deleted(self, queue: Queue) -> None:
        if queue.durable:
            self._undefine("queue", [queue.vhost.name, queue.name])

    def _binding(self, binding: Binding) -> None:
        if _is_durable(binding):
            self._define("binding", _binding_key(binding), {})

    def _binding_deleted(self, binding: Binding) -> None:
        if _is_durable(binding):
            self._undefine("binding", _binding_key(binding))

    def _policy(self, policy: Policy) -> None:
        entry = policy.entry()
        self._define(_policy_kind(policy), [policy.vhost, policy.name], {**entry})

    def _policy_cleared(self, policy: Policy) -> None:
        self._undefine(_policy_kind(policy), [policy.vhost, policy.name])

    def _parameter(self, parameter: Parameter) -> None:
        self._define("parameter", [parameter.of, parameter.component, parameter.name], {"value": parameter.value})

    def _parameter_forgotten(self, parameter: Parameter) -> None:
        self._undefine("parameter", [parameter.of, parameter.component, parameter.name])

    def _define(self, kind: str, key: list[Any], value: Mapping[str, Any]) -> None:
        self._keeper.define(kind, json.dumps(key), json.dumps(value).encode())

    def _undefine(self, kind: str, key: list[Any]) -> None:
        self._keeper.define(kind, json.dumps(key), None)


def _is_durable(binding: Binding) -> bool:
    """RabbitMQ: a binding survives if both of its ends do."""
    return binding.source.durable and getattr(binding.destination, "durable", False)


def _binding_key(binding: Binding) -> list[Any]:
    destination = binding.destination
    return [
        binding.source.vhost.name,
        binding.source.name,
        "exchange" if destination.is_exchange else "queue",
        destination.name,
        binding.routing_key,
        sorted(_encoded(binding.arguments)),
    ]


def _policy_kind(policy: Policy) -> str:
    return "operator_policy" if policy.is_operator else "policy"


# -- back again -----------------------------------------------------------------------------------------------------


_IN_VHOSTS = ("policy", "operator_policy", "exchange", "queue", "binding")


def restore(node: Node, definitions: Iterable[Definition]) -> None:
    """Declare everything again, what others need first.

    Where a damaged store lacks what others need, as much as can be comes back, and the log says what does not.
    """
    by_kind: dict[str, list[tuple[list[Any], dict[str, Any]]]] = {}
    for definition in definitions:
        key, value = json.loads(definition.name), json.loads(definition.value)
        by_kind.setdefault(definition.kind, []).append((key, value))
    assert node.keeper is not None
    lines = dict(node.keeper.store.lines)  # of before: to one that is lost a new one may owe its number
    vhosts = by_kind.get("vhost", [])
    known = {name for (name,), _ in vhosts}
    needed = {key[0] for kind in _IN_VHOSTS for key, _ in by_kind.get(kind, [])}
    for name in node.vhosts.keys() - known - needed:
        node.delete_vhost(name)
    for name in sorted(needed - known):
        logger.error("the virtual host %r was damaged: it has no description, tags and limits any more", name)
        _define_anew(node, "vhost.created", node.add_vhost(name))
    for (name,), value in vhosts:
        metadata = Metadata(
            value["description"], tuple(value["tags"]), value["default_queue_type"],
            value.get("protected_from_deletion", False),
        )  # fmt: skip
        vhost = node.add_vhost(name, metadata)
        vhost.metadata = metadata
        vhost.set_limits(value["limits"])
    for kind in ("policy", "operator_policy"):
        for (vhost_name, name), value in by_kind.get(kind, []):
            _restore_policy(node.vhosts[vhost_name], kind, name, value)
    for (of, component, name), value in by_kind.get("parameter", []):
        _restore_parameter(node, of, component, name, value["value"])
    for (vhost_name, name), value in by_kind.get("exchange", []):
        exchange = node.vhosts[vhost_name].declare_exchange(
            name, value["type"], durable=True, auto_delete=value["auto_delete"], internal=value["internal"],
            arguments=_decoded(value["arguments"]), user=value.get("created_by", INTERNAL_USER),
        )  # fmt: skip
        if value["lines"]:
            exchange.restore(_lines(node, lines, value))
            if not lines.keys() >= set(value["lines"]):
                logger.error("the exchange %r was damaged: messages in it are lost", name)
                _define_anew(node, "exchange.created", exchange)
    for (vhost_name, name), value in by_kind.get("queue", []):
        _restore_queue(node, node.vhosts[vhost_name], name, value, lines)
    for key, _ in by_kind.get("binding", []):
        _restore_binding(node, *key)
    for (vhost_name, name), _ in by_kind.get("queue", []):
        node.vhosts[vhost_name].queues[name].restored()


def line_names(node: Node) -> dict[int, str]:
    """Whose each line of the store is, by its id."""
    names: dict[int, str] = {}
    for vhost in node.vhosts.values():
        for queue in vhost.queues.values():
            names |= {part.line.id: str(queue) for part in queue.kept_parts()}
        for exchange in vhost.exchanges.values():
            names |= {line.id: vhost.describe_exchange(exchange.name) for line in exchange.lines()}
    return names


def drop_unnamed_lines(node: Node) -> None:
    """Once all is declared again: what belongs to nothing cannot be got at, and would stay for ever."""
    assert node.keeper is not None
    named = line_names(node).keys()
    for line in [line for line in node.keeper.store.lines.values() if line.id not in named]:
        logger.error("messages that belong to no queue were dropped: %d", line.totals.message_count)
        line.drop()


def _restore_policy(vhost: VirtualHost, kind: str, name: str, value: Mapping[str, Any]) -> None:
    policies = vhost.operator_policies if kind == "operator_policy" else vhost.policies
    policies.set(
        name, pattern=value["pattern"], definition=value["definition"], priority=value["priority"],
        apply_to=value["apply-to"],
    )  # fmt: skip


def _restore_parameter(node: Node, of: str, component: str, name: str, value: object) -> None:
    """One of a virtual host that a damaged store lacks is lost with it."""
    if component == "global":
        node.parameters.set(name, value)
    elif of in node.vhosts:
        node.vhosts[of].parameters.set(component, name, value)


def _restore_queue(
    node: Node, vhost: VirtualHost, name: str, value: Mapping[str, Any], lines: Mapping[int, Line]
) -> None:
    vhost.restore_queue(
        name, auto_delete=value["auto_delete"], arguments=_decoded(value["arguments"]),
        lines=_lines(node, lines, value),
    )  # fmt: skip
    vhost.queues[name].created_by = value.get("created_by", INTERNAL_USER)
    if not lines.keys() >= set(value["lines"]):
        logger.error("the queue %r was damaged: messages in it are lost", name)
        _define_anew(node, "queue.created", vhost.queues[name])


def _lines(node: Node, lines: Mapping[int, Line], value: Mapping[str, Any]) -> list[Line]:
    """Those of a definition; a new one in the place of one that is not there."""
    assert node.keeper is not None
    return [lines.get(line_id) or node.keeper.store.new_line() for line_id in value["lines"]]


def _define_anew(node: Node, event: str, subject: Any) -> None:
    assert node.keeper is not None
    DefinitionKeeper(node.keeper).record(event, subject)


def _restore_binding(
    node: Node, vhost_name: str, source: str, kind: str, destination_name: str, routing_key: str, arguments: list[Any]
) -> None:
    vhost = node.vhosts[vhost_name]
    destinations: Mapping[str, Destination] = vhost.exchanges if kind == "exchange" else vhost.queues
    destination = destinations.get(destination_name)
    if destination is None or source not in vhost.exchanges:
        logger.error("the binding of %s %r to exchange %r lacks one of them: damaged", kind, destination_name, source)
    else:
        vhost.bind(source, destination, routing_key, _decoded(arguments))


# -- tables with their wire types -------------------------------------------------------------------------------------


def _encoded(table: Table) -> list[Any]:
    return [[name, *_encoded_field(field)] for name, field in table.items()]


def _encoded_field(field: Field) -> list[Any]:
    match field.value:
        case list() as items:
            return [field.tag, [_encoded_field(item) for item in items]]
        case dict() as table:
            return [field.tag, _encoded(table)]
        case bytes() as octets:
            return [field.tag, octets.decode("latin-1")]
    return [field.tag, field.value]


def _decoded(items: list[Any]) -> Table:
    return {name: _decoded_field(tag, value) for name, tag, value in items}


def _decoded_field(tag: str, value: Any) -> Field:
    match tag:
        case "A":
            return Field(tag, [_decoded_field(*item) for item in value])
        case "F":
            return Field(tag, _decoded(value))
        case "x":
            return Field(tag, value.encode("latin-1"))
        case "D":
            return Field(tag, tuple(value))
    return Field(tag, value)
