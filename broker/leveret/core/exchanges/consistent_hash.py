"""The consistent hash exchange: messages are shared out by the hash of their key (RabbitMQ: XT-13 to XT-17).

How this works. The bindings' weights stand one behind the other, as if each were that many buckets in a row. A jump
consistent hash (Lamping and Veach, 2014; RabbitMQ uses it as well) picks a bucket: when a binding is added behind the
others, what moves is only the share that goes to it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from leveret.core import arguments as args
from leveret.core.binding import Binding, Destination
from leveret.core.exchanges.base import Exchange
from leveret.core.exchanges.hashing import hash_input, stable_hash
from leveret.core.exchanges.header_fields import comparable, printed
from leveret.core.message import Message
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import Field, Table

if TYPE_CHECKING:
    from leveret.core.vhost import VirtualHost

WEIGHT_MAX: Final = 10_000  # RabbitMQ: since 4.2.6
HEADER_ARGUMENT: Final = "hash-header"
PROPERTY_ARGUMENT: Final = "hash-property"
PROPERTIES: Final = ("message_id", "correlation_id", "timestamp")

ValueOf = Callable[[Message], Hashable]
Ring = tuple[list[int], list[Destination]]  # for each destination: one behind its last bucket


class ConsistentHashExchange(Exchange):
    """The binding key is a weight. Each message goes to one destination; equal values always to the same.

    The value is the primary routing key, or that of the header or property which the exchange's arguments name;
    messages without it are all alike. What is bound twice has the weight of its first binding, and no share at all
    once one of them is gone (XT-16).
    """

    __slots__ = ("_ring", "_value_of", "_weights")

    type_name = "x-consistent-hash"

    def __init__(
        self, vhost: VirtualHost, name: str, *, durable: bool, auto_delete: bool, internal: bool, arguments: Table
    ) -> None:
        super().__init__(vhost, name, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments)
        self._value_of = _value_of(arguments, vhost.describe_exchange(name))
        self._weights: dict[Destination, int] = {}
        self._ring: Ring | None = None

    def validate_binding(self, binding: Binding) -> None:
        """Raises: PRECONDITION_FAILED (406): the key is no weight (XT-13)."""
        key = binding.routing_key
        if not re.fullmatch("[+-]?[0-9]+", key):
            raise _refusal(f"The binding key must be an integer: {printed(Field('S', key))}")
        if int(key) < 1:
            raise _refusal("The binding key must be greater than 0")
        if int(key) > WEIGHT_MAX:
            raise _refusal(f"The binding key must not exceed {WEIGHT_MAX}")

    def route_by_keys(self, routing_keys: Sequence[str]) -> Iterable[Destination] | None:
        return None if self._value_of is not None else self._share_of(routing_keys[0])

    def route(self, routing_keys: Sequence[str], message: Message) -> Iterable[Destination]:
        return self._share_of(routing_keys[0] if self._value_of is None else self._value_of(message))

    def _share_of(self, value: Hashable) -> Iterable[Destination]:
        if not self._weights:
            return ()
        if self._ring is None:
            self._ring = list(accumulate(self._weights.values())), list(self._weights)
        ends, destinations = self._ring
        bucket = jump_hash(stable_hash(hash_input(value)), ends[-1])
        return (destinations[bisect_right(ends, bucket)],)

    def _added(self, binding: Binding) -> None:
        self._weights.setdefault(binding.destination, int(binding.routing_key))
        self._ring = None

    def _removed(self, binding: Binding) -> None:
        self._weights.pop(binding.destination, None)
        self._ring = None


def jump_hash(key: int, buckets: int) -> int:
    """The bucket, from 0 to one below `buckets`, of a key of 64 bits. With one more bucket it stays, or goes there."""
    bucket, following = -1, 0
    while following < buckets:
        bucket = following
        key = (key * 2862933555777941757 + 1) % 2**64
        following = int((bucket + 1) * (2**31 / ((key >> 33) + 1)))
    return bucket


def _value_of(arguments: Table, subject: str) -> ValueOf | None:
    """What is hashed. None: the routing key. Raises: PRECONDITION_FAILED (406) (XT-15)."""
    for argument in (HEADER_ARGUMENT, PROPERTY_ARGUMENT):
        args.check_longstr(arguments, argument, subject)  # RabbitMQ fails with 541
    if HEADER_ARGUMENT in arguments and PROPERTY_ARGUMENT in arguments:
        raise _refusal("hash-header and hash-property are mutually exclusive")
    if HEADER_ARGUMENT in arguments:
        return _header(str(arguments[HEADER_ARGUMENT].value))
    if PROPERTY_ARGUMENT not in arguments:
        return None
    name = str(arguments[PROPERTY_ARGUMENT].value)
    if name not in PROPERTIES:
        raise _refusal(f"Unsupported property: {name}")
    return _property(name)


def _header(name: str) -> ValueOf:
    def value_of(message: Message) -> Hashable:
        field = (message.properties.headers or {}).get(name)
        return None if field is None else comparable(field)

    return value_of


def _property(name: str) -> ValueOf:
    def value_of(message: Message) -> Hashable:
        value: str | int | None = getattr(message.properties, name)
        return value

    return value_of


def _refusal(explanation: str) -> AMQPError:
    return AMQPError(ReplyCode.PRECONDITION_FAILED, explanation)
