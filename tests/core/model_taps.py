"""Queues that tell the model what arrives in them and what comes back, and what they are declared as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leveret.core.classic_queue import ClassicQueue
from leveret.core.message import Entry, Message
from leveret.core.priority_queue import PriorityQueue
from tests.core.model_messages import ModelMessage

if TYPE_CHECKING:
    from tests.core.queue_model import QueueModel

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


class Tapped:
    """Beside a class of queues: tells the model what arrives, and what comes back.

    way_in, persistent_way_in: what the queue has chosen as its `publish` and its `publish_persistent`.
    """

    model: QueueModel
    way_in: Callable[[Message], int]
    persistent_way_in: Callable[[Message], int]

    @property
    def publish(self) -> Callable[[Message], int]:
        return self._publish_told

    @publish.setter
    def publish(self, way_in: Callable[[Message], int]) -> None:
        self.way_in = way_in

    @property
    def publish_persistent(self) -> Callable[[Message], int]:
        return self._publish_persistent_told

    @publish_persistent.setter
    def publish_persistent(self, way_in: Callable[[Message], int]) -> None:
        self.persistent_way_in = way_in

    def _publish_told(self, message: Message) -> int:
        return self.model.publish(message, self.way_in)

    def _publish_persistent_told(self, message: Message) -> int:
        return self.model.publish(message, self.persistent_way_in)

    def requeue(self, entries: list[Entry]) -> None:
        if not self.model.is_deleted:
            messages = [entry.message for entry in entries]
            self.model.come_back([message.number for message in messages if isinstance(message, ModelMessage)])
        super().requeue(entries)  # type: ignore[misc]


class TappedClassicQueue(Tapped, ClassicQueue):  # type: ignore[misc]
    """A ClassicQueue."""


class TappedPriorityQueue(Tapped, PriorityQueue):  # type: ignore[misc]
    """A PriorityQueue."""
