"""What the core knows of a message. The bytes themselves belong to the handlers: PublishedMessage is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from leveret_protocol.fields import Field, Table

NORMAL_PRIORITY_MAX: Final = 4  # of a quorum queue. RabbitMQ 4.0 to 4.2: above it is high (PRI-3)


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


class Message(Protocol):
    """One published message. It never changes, and every queue that it is routed to holds the same object."""

    waiter: Waiter | None  # told by each queue that keeps the message

    @property
    def exchange(self) -> str:
        """The exchange it was published to; "" is the default exchange."""

    @property
    def routing_key(self) -> str:
        """The primary routing key."""

    @property
    def routing_keys(self) -> list[str]:
        """The primary one, then those of CC and BCC, though BCC is no longer among the headers."""

    @property
    def properties(self) -> Properties:
        """Decoded at the first call only: most messages pass through without."""

    @property
    def body(self) -> bytes:
        """The whole body."""

    @property
    def size_bytes(self) -> int:
        """What it costs to send: header and body frames. Known without decoding."""

    @property
    def body_size_bytes(self) -> int:
        """Bytes of the body."""

    @property
    def is_dead_letter(self) -> bool:
        """Did this broker dead-letter it, so that its x-death header can be believed?"""

    @property
    def failed_count(self) -> int:
        """How many of its deliveries by quorum queues failed before it was dead-lettered; see QuorumEntry."""

    @property
    def expiration_ms(self) -> int | None:
        """The expiration property, which has been found valid (RabbitMQ: CT-9). Cheap where there is none."""

    @property
    def priority(self) -> int | None:
        """The priority property, 0 to 255. Cheap where there is none."""

    @property
    def is_persistent(self) -> bool:
        """Delivery mode 2 (RabbitMQ: CT-8)."""

    def __bytes__(self) -> bytes:
        """All there is to know of it, for a store; see Keeper. In any thread."""

    def with_headers(self, headers: Table) -> Message:
        """The same message with these headers besides its own, or instead of them."""

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


class QuorumEntry(TimedEntry):
    """original: the message as it was published; `message` tells of its deliveries from the second one on.

    is_kept: on a node with a store, whatever its delivery mode. is_high: of the two priorities.
    return_count: how often it came back, for whatever reason; failed_count: how many deliveries failed, because it was
    rejected for good or its channel went. RabbitMQ 4.x calls them acquired and delivery count. The header
    x-delivery-count shows the first one, but a dead letter brings the second one with it and shows it until it comes
    back for the first time.
    """

    __slots__ = ("failed_count", "is_high", "is_kept", "original", "return_count")

    def __init__(self, message: Message, position: int, expires_at: float | None, *, is_kept: bool) -> None:
        self.message = self.original = message
        self.position = position
        self.expires_at = expires_at
        self.is_kept = is_kept
        self.is_high = (message.priority or 0) > NORMAL_PRIORITY_MAX
        self.return_count = 0
        self.failed_count = message.failed_count
        self.redelivered = self.failed_count > 0
        if self.redelivered:
            self.show(self.failed_count)

    def show(self, delivery_count: int) -> None:
        self.message = self.original.with_headers({"x-delivery-count": Field("l", delivery_count)})
