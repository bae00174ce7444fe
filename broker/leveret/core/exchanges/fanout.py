"""The fanout exchange: every message goes to everything that is bound (RabbitMQ: XT-2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leveret.core.binding import Binding, Destination
from leveret.core.exchanges.base import Exchange


class FanoutExchange(Exchange):
    """Keys and binding arguments play no part."""

    __slots__ = ()

    type_name = "fanout"

    def route_by_keys(self, routing_keys: Sequence[str]) -> Iterable[Destination]:
        return self.destinations()

    def _added(self, binding: Binding) -> None:
        """Nothing to keep: `destinations` is the route."""

    def _removed(self, binding: Binding) -> None:
        """Nothing to keep."""
