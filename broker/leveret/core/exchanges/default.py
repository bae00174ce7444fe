"""The default exchange: every queue is bound to it by its name (RabbitMQ: XT-1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NoReturn

from leveret.core.binding import Binding, Destination
from leveret.core.exchanges.base import Exchange
from leveret.core.message import Message


class DefaultExchange(Exchange):
    """It has no bindings of its own: it looks the routing key up among the names of queues.

    Args: queues_by_name: one mapping or more, asked in this order. They are kept, so what changes in them counts.
    """

    __slots__ = ("_queues_by_name",)

    type_name = "direct"

    def __init__(self, *queues_by_name: Mapping[str, Destination]) -> None:
        super().__init__("", durable=True, auto_delete=False, internal=False, arguments={})
        self._queues_by_name = queues_by_name

    def route(self, routing_key: str, message: Message) -> Iterable[Destination]:
        for queues in self._queues_by_name:
            queue = queues.get(routing_key)
            if queue is not None:
                return (queue,)
        return ()

    def _added(self, binding: Binding) -> NoReturn:
        raise AssertionError("the default exchange cannot be bound; clients are refused before")

    def _removed(self, binding: Binding) -> NoReturn:
        raise AssertionError("the default exchange has no bindings")
