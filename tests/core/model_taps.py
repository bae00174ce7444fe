"""What queues are declared as, and the way in which the model learns of the dead letters that arrive in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from leveret.core.binding import Destination
from leveret.core.exchanges.default import DefaultExchange
from leveret.core.vhost import VirtualHost

NOWHERE = "nowhere"  # a routing key that leads to no queue


@dataclass(frozen=True)
class Kind:
    """What a queue is for good. A durable one is kept in the store."""

    durable: bool = False
    max_priority: int | None = None
    is_single_active: bool = False
    auto_delete: bool = False

    @property
    def arguments(self) -> dict[str, object]:
        arguments: dict[str, object] = {
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": NOWHERE,
        }
        if self.max_priority is not None:
            arguments["x-max-priority"] = self.max_priority
        if self.is_single_active:
            arguments["x-single-active-consumer"] = True
        return arguments


class TappedExchange(DefaultExchange):
    """The default exchange of a vhost, but that each queue is reached through what stands before it under its name."""

    def __init__(self, vhost: VirtualHost, before_queues: Mapping[str, Destination]) -> None:
        super().__init__(vhost, vhost.queues)
        self._before_queues = before_queues

    def route_by_keys(self, routing_keys: Sequence[str]) -> Iterable[Destination]:
        return [self._before_queues[queue.name] for queue in super().route_by_keys(routing_keys)]
