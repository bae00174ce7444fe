"""The fanout exchange: every message goes to everything that is bound (RabbitMQ: XT-2)."""

from __future__ import annotations

from collections.abc import Iterable

from leveret.core.binding import Binding, Destination
from leveret.core.exchanges.base import Exchange
from leveret.core.message import Message


class FanoutExchange(Exchange):
    """Keys and binding arguments play no part."""

    __slots__ = ()

    type_name = "fanout"

    def route(self, routing_key: str, message: Message) -> Iterable[Destination]:
        return self.destinations()

    def _added(self, binding: Binding) -> None:
        """Nothing to keep: `destinations` is the route."""

    def _removed(self, binding: Binding) -> None:
        """Nothing to keep."""
