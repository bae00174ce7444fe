"""What the core knows of a message. The bytes themselves belong to the handlers, which subclass this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from leveret_protocol.fields import Table


class Properties(Protocol):
    """The properties of a content header that the core looks at. None: the property is absent."""

    headers: Table | None
    delivery_mode: int | None
    priority: int | None
    expiration: str | None
    reply_to: str | None
    user_id: str | None
    message_id: str | None
    correlation_id: str | None
    timestamp: int | None


class Waiter(Protocol):
    """Waits for what it did to be safe: it is on the disk, or need not be any more."""

    def safe(self) -> None: ...


class Message(ABC):
    """One published message. It never changes, and every queue that it is routed to holds the same object.

    failed_count: how many of its deliveries by quorum queues failed before it was dead-lettered; see QuorumEntry.
    """

    __slots__ = ()

    failed_count: int = 0

    @property
    @abstractmethod
    def exchange(self) -> str:
        """The exchange it was published to; "" is the default exchange."""

    @property
    @abstractmethod
    def routing_key(self) -> str:
        """The primary routing key."""

    @property
    @abstractmethod
    def routing_keys(self) -> list[str]:
        """The primary one, then those of CC and BCC, though BCC is no longer among the headers."""

    @property
    @abstractmethod
    def properties(self) -> Properties:
        """Decoded at the first call only: most messages pass through without."""

    @property
    @abstractmethod
    def body(self) -> bytes:
        """The whole body."""

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """What it costs to send: header and body frames. Known without decoding."""

    @property
    @abstractmethod
    def body_size_bytes(self) -> int:
        """Bytes of the body."""

    @property
    @abstractmethod
    def is_dead_letter(self) -> bool:
        """Did this broker dead-letter it, so that its x-death header can be believed?"""

    @property
    @abstractmethod
    def expiration_ms(self) -> int | None:
        """The expiration property, which has been found valid (RabbitMQ: CT-9). Cheap where there is none."""

    @property
    @abstractmethod
    def priority(self) -> int | None:
        """The priority property, 0 to 255. Cheap where there is none."""

    @property
    @abstractmethod
    def is_persistent(self) -> bool:
        """Delivery mode 2 (RabbitMQ: CT-8)."""

    @abstractmethod
    def __bytes__(self) -> bytes:
        """All there is to know of it, for a store; see Keeper. In any thread."""

    waiter: Waiter | None = None  # told by each queue that keeps the message

    @abstractmethod
    def with_headers(self, headers: Table) -> Message:
        """The same message with these headers besides its own, or instead of them."""

    @abstractmethod
    def dead_lettered(
        self, exchange: str, routing_keys: Sequence[str], properties: Properties, failed_count: int
    ) -> Message:
        """The same content, published elsewhere with other properties. routing_keys: the primary one first."""


class MakeMessage(Protocol):
    """Makes a message of the broker's own: only the handlers know its wire form. headers: empty is not absent."""

    def __call__(
        self, exchange: str, routing_key: str, headers: Table, body: bytes = b"", *, delivery_mode: int | None = None,
        timestamp: int | None = None,
    ) -> Message: ...  # fmt: skip


class Entry:
    """A message in one queue, or handed out by it and not settled yet.

    position: where it stands in the queue. Positions only grow, so a requeued message finds its old place
    (RabbitMQ: classic queues requeue to the original position).
    expires_at: when it is to be given up, by the message clock, if it is ready then; None: never.
    is_kept: its message is in a line of the store.
    """

    __slots__ = ("message", "position", "redelivered")

    expires_at: float | None = None  # most have no deadline, and no place for one
    is_kept = False

    def __init__(self, message: Message, position: int) -> None:
        self.message = message
        self.position = position
        self.redelivered = False


class TimedEntry(Entry):
    """An entry that may have a deadline. It is fixed when the message comes (RabbitMQ: TTL-1, TTL-5)."""

    __slots__ = ("expires_at",)

    def __init__(
        self, message: Message, position: int, expires_at: float | None, redelivered: bool = False,
    ) -> None:  # fmt: skip
        self.message = message
        self.position = position
        self.redelivered = redelivered
        self.expires_at = expires_at


class KeptEntry(TimedEntry):
    """An entry whose message is in a line of the store."""

    __slots__ = ()

    is_kept = True
