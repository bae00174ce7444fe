"""The quorum queue, as clients of a single node see it: it counts how often a message came back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

from leveret.core.classic_queue import free_in_slices
from leveret.core.dead_letter import DELIVERY_LIMIT, dead_letter
from leveret.core.message import Entry, Message, TimedEntry
from leveret.core.queue import Queue
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import Field

if TYPE_CHECKING:
    from leveret.core.channel import Channel

NORMAL_PRIORITY_MAX = 4  # RabbitMQ 4.0 to 4.2: above it is high (PRI-3)
HIGH_TURNS = 2  # high messages for each normal one while there are both


class QuorumEntry(TimedEntry):
    """original: the message as it was published; `message` tells of its deliveries from the second one on.

    delivery_count: how often it came back.
    """

    __slots__ = ("delivery_count", "original")

    def __init__(self, message: Message, position: int, expires_at: float | None) -> None:
        super().__init__(message, position, expires_at)
        self.original = message
        self.delivery_count = 0


class QuorumQueue(Queue):
    """What comes back is served first, in the order of its return; without a delivery limit it goes to the end
    (RabbitMQ: B-43). Among the rest two high priorities take turns with one normal (PRI-3).
    """

    __slots__ = ("_high", "_high_turns", "_normal", "_returned")

    type_name = "quorum"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._high: deque[Entry] = deque()
        self._normal: deque[Entry] = deque()
        self._returned: deque[Entry] = deque()
        self._high_turns = HIGH_TURNS
        super().__init__(*args, **kwargs)

    # -- the order in which messages wait -----------------------------------------------------------------------------

    @property
    def message_count(self) -> int:
        return len(self._high) + len(self._normal) + len(self._returned)

    def _line(self, entry: Entry) -> deque[Entry]:
        return self._high if (entry.message.priority or 0) > NORMAL_PRIORITY_MAX else self._normal

    def _next_line(self) -> deque[Entry]:
        if self._returned:
            return self._returned
        if self._high and (self._high_turns or not self._normal):
            return self._high
        return self._normal

    def _entry(self, message: Message) -> Entry:
        position = self._next_position
        self._next_position = position + 1
        return QuorumEntry(message, position, self._deadline(message))

    def _append(self, entry: Entry) -> None:
        self._line(entry).append(entry)

    def requeue(self, entries: list[Entry]) -> None:
        """As Queue.requeue; a message that has come back as often as the limit says is given up (RabbitMQ: QQ-1)."""
        limit = self.settings.delivery_limit
        kept: list[Entry] = []
        for entry in entries:
            assert isinstance(entry, QuorumEntry)
            if limit is None or entry.delivery_count < limit:
                kept.append(entry)
            elif not self.is_deleted:
                self.settle(entry)
                self._dead_letter(entry, DELIVERY_LIMIT)
        super().requeue(kept)

    def _put_back(self, entry: Entry) -> None:
        assert isinstance(entry, QuorumEntry)
        entry.delivery_count += 1
        entry.message = entry.original.with_headers({"x-delivery-count": Field("l", entry.delivery_count)})
        (self._line(entry) if self.settings.delivery_limit is None else self._returned).append(entry)

    def _peek(self) -> Entry:
        return self._next_line()[0]

    def _pop(self) -> Entry:
        line = self._next_line()
        if line is self._high:
            self._high_turns = max(self._high_turns - 1, 0)
        elif line is self._normal:
            self._high_turns = HIGH_TURNS
        return line.popleft()

    def _entries(self) -> Iterable[Entry]:
        return chain(self._returned, self._high, self._normal)

    def _clear(self) -> None:
        lines = self._returned, self._high, self._normal
        self._returned, self._high, self._normal = deque(), deque(), deque()
        for line in lines:
            free_in_slices(self.vhost, line)

    def _dead_letter(self, entry: Entry, reason: str) -> None:
        assert isinstance(entry, QuorumEntry)
        dead_letter(self, entry.original, reason)

    # -- consumers --------------------------------------------------------------------------------------------------

    def declared_again(self) -> None:
        """Does not count as use (RabbitMQ: EXP-1)."""

    def check_exclusive(self, *, exclusive: bool) -> None:
        """RabbitMQ: quorum queues ignore exclusive (B-14)."""

    def check_channel(self, channel: Channel) -> None:
        """Raises NOT_IMPLEMENTED (540): it has a limit for all its consumers together (RabbitMQ: B-32)."""
        if channel.limit_count:
            raise AMQPError(ReplyCode.NOT_IMPLEMENTED, f"{self} does not support global qos")
