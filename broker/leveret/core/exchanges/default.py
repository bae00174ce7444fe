"""The default exchange: every queue is bound to it by its name (RabbitMQ: XT-1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from leveret.core.binding import Binding, Destination
from leveret.core.exchanges.base import Exchange

if TYPE_CHECKING:
    from leveret.core.vhost import VirtualHost


class DefaultExchange(Exchange):
    """It has no bindings of its own: it looks the routing key up among the names of queues.

    Args: queues_by_name: one mapping or more, asked in this order. They are kept, so what changes in them counts.
    """

    __slots__ = ("_queues_by_name",)

    type_name = "direct"

    def __init__(self, vhost: VirtualHost, *queues_by_name: Mapping[str, Destination]) -> None:
        super().__init__(vhost, "", durable=True, auto_delete=False, internal=False, arguments={})
        self._queues_by_name = queues_by_name

    def route_by_keys(self, routing_keys: Sequence[str]) -> Iterable[Destination]:
        return [queue for key in routing_keys for queue in self._named(key)]

    def _named(self, name: str) -> Iterable[Destination]:
        for queues in self._queues_by_name:
            queue = queues.get(name)
            if queue is not None:
                return (queue,)
        return ()

    def _added(self, binding: Binding) -> NoReturn:
        raise AssertionError("the default exchange cannot be bound; clients are refused before")

    def _removed(self, binding: Binding) -> NoReturn:
        raise AssertionError("the default exchange has no bindings")
