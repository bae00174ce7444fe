"""A binding: what leads from an exchange to a queue or to another exchange, and when two bindings are the same one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Protocol, cast

from leveret_protocol.fields import Field, Table

if TYPE_CHECKING:
    from leveret.core.exchanges.base import Exchange


class Destination(Hashable, Protocol):
    """What a binding leads to: a queue or an exchange. Compared by identity."""

    @property
    def name(self) -> str: ...

    @property
    def is_exchange(self) -> bool: ...


class Binding:
    """source and destination; routing_key: the binding key; arguments: as given, with their wire types.

    identity: what makes it the same binding as another one of the same source: destination, key and arguments. The
    order of the arguments does not count, their wire types do (RabbitMQ: QU-23).
    """

    __slots__ = ("arguments", "destination", "identity", "routing_key", "source")

    def __init__(self, source: Exchange, destination: Destination, routing_key: str, arguments: Table) -> None:
        self.source = source
        self.destination = destination
        self.routing_key = routing_key
        self.arguments = arguments
        self.identity: Hashable = (destination, routing_key, canonical(arguments))

    def __repr__(self) -> str:
        return f"<Binding {self.source.name!r} -> {self.destination.name!r} by {self.routing_key!r}>"


def canonical(arguments: Table) -> Hashable:
    """A key that is equal for equal arguments: sorted by name, wire types kept at every level.

    RabbitMQ sorts the outermost level only: tables inside arguments are equal if their entries are in the same order.
    """
    return tuple((name, typed(arguments[name])) for name in sorted(arguments))


def typed(field: Field) -> tuple[str, Hashable]:
    """A field as a hashable value, with its wire type and those of everything in it. Table entries keep their order.

    RabbitMQ reads `L` as `l`, so these two are one type.
    """
    match field:
        case ("A", list() as items):
            return "A", typed_items(items)
        case ("F", dict() as table):
            return "F", typed_entries(table)
        case ("L", int() as number):
            return "l", number
    return field.tag, cast(Hashable, field.value)


def typed_items(items: list[Field]) -> tuple[Hashable, ...]:
    """An array as pairs (type, value)."""
    return tuple(typed(item) for item in items)


def typed_entries(table: Table) -> tuple[Hashable, ...]:
    """A table as triples (key, type, value): never equal to an array, unless both are empty."""
    return tuple((key, *typed(value)) for key, value in table.items())
