"""The direct exchange: routing key and binding key are equal, byte by byte (RabbitMQ: XT-2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from leveret.core.binding import Binding, Destination
from leveret.core.exchanges.base import DestinationCounts, Exchange
from leveret_protocol.fields import Table

if TYPE_CHECKING:
    from leveret.core.vhost import VirtualHost


class DirectExchange(Exchange):
    """Wildcards are ordinary characters here, and binding arguments play no part."""

    __slots__ = ("_by_key",)

    type_name = "direct"

    def __init__(
        self, vhost: VirtualHost, name: str, *, durable: bool, auto_delete: bool, internal: bool, arguments: Table
    ) -> None:
        super().__init__(vhost, name, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments)
        self._by_key: dict[str, DestinationCounts] = {}

    def route_by_keys(self, routing_keys: Sequence[str]) -> Iterable[Destination]:
        return [destination for key in routing_keys for destination in self._by_key.get(key, ())]

    def _added(self, binding: Binding) -> None:
        self._by_key.setdefault(binding.routing_key, DestinationCounts()).add(binding.destination)

    def _removed(self, binding: Binding) -> None:
        destinations = self._by_key[binding.routing_key]
        destinations.remove(binding.destination)
        if not destinations:
            del self._by_key[binding.routing_key]
