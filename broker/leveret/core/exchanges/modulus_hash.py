"""The modulus hash exchange: the hash of the routing key, modulo the number of bindings, picks one of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leveret.core.binding import Destination
from leveret.core.exchanges.choosing import ChoosingExchange
from leveret.core.exchanges.hashing import hash_input, stable_hash


class ModulusHashExchange(ChoosingExchange):
    """RabbitMQ: section 5.6. Binding keys play no part. The keys of CC and BCC are part of what is hashed."""

    __slots__ = ()

    type_name = "x-modulus-hash"

    def route_by_keys(self, routing_keys: Sequence[str]) -> Iterable[Destination]:
        choices = self.choices()
        if not choices:
            return ()
        number = stable_hash(b"\0".join(map(hash_input, routing_keys)))
        return (choices[number % len(choices)],)
