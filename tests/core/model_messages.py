"""Messages of the queue model: they tell the world when they die, and may be in a store meanwhile."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any, Protocol

from leveret.core.message import Message, Properties
from leveret_protocol.content import Properties as WireProperties
from tests.core.scene import NumberedMessage

# The deaths of a message, the newest first: queue and reason, each pair once.
History = tuple[tuple[str, str], ...]


class Witness(Protocol):
    def message_dies(self, message: ModelMessage, queue_name: str, reason: str) -> History:
        """A dead letter is made of it. Answers its history."""


class ModelMessage(NumberedMessage):
    """A message that tells the world when it dies. Its letters have its number, and a history."""

    __slots__ = ("body_size_bytes", "history", "is_dead_letter", "is_persistent", "properties", "world")

    def __init__(
        self, world: Witness, number: int, *, body_size_bytes: int = 0, expiration_ms: int | None = None,
        priority: int | None = None, is_persistent: bool = False, history: History = (),
        properties: Properties | None = None,
    ) -> None:  # fmt: skip
        super().__init__(number, expiration_ms=expiration_ms, priority=priority)
        self.world = world
        self.body_size_bytes = body_size_bytes
        self.is_persistent = is_persistent
        self.history = history
        self.is_dead_letter = bool(history)
        self.properties = properties or WireProperties()

    def dead_lettered(
        self, exchange: str, routing_keys: Sequence[str], properties: Properties, failed_count: int
    ) -> Message:
        assert properties.headers is not None
        newest: Any = properties.headers["x-death"].value
        died = newest[0].value
        history = self.world.message_dies(self, died["queue"].value, died["reason"].value)
        return ModelMessage(
            self.world, self.number, body_size_bytes=self.body_size_bytes, priority=self.priority,
            is_persistent=self.is_persistent, history=history, properties=properties,
        )  # fmt: skip

    def __bytes__(self) -> bytes:
        return pickle.dumps({
            "number": self.number, "body_size_bytes": self.body_size_bytes, "expiration_ms": self.expiration_ms,
            "priority": self.priority, "is_persistent": self.is_persistent, "history": self.history,
            "properties": self.properties,
        })  # fmt: skip


def loaded(world: Witness, octets: bytes) -> ModelMessage:
    return ModelMessage(world, **pickle.loads(octets))
