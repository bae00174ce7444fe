"""A classic queue with a length limit. Its own class, so that queues without one pay nothing for it."""

from __future__ import annotations

from typing import Any

from leveret.core.dead_letter import MAXLEN, dead_letter
from leveret.core.message import Entry, Message
from leveret.core.queue import REFUSED, Queue
from leveret_protocol.fields import Table

LIMITS = ("x-max-length", "x-max-length-bytes")


class LimitedQueue(Queue):
    """x-max-length and x-max-length-bytes with the three forms of x-overflow.

    Only ready messages count, and of them only the bodies (RabbitMQ: LEN-1). drop-head, the default: the oldest leave,
    dead-lettered with reason maxlen. reject-publish: the new one is refused; reject-publish-dlx: and dead-lettered.
    """

    __slots__ = ("_max_bytes", "_max_count", "_overflow", "_ready_bytes")

    def __init__(self, *args: Any, arguments: Table, **kwargs: Any) -> None:
        super().__init__(*args, arguments=arguments, **kwargs)
        self._max_count, self._max_bytes = (_limit(arguments, name) for name in LIMITS)
        overflow = arguments.get("x-overflow")
        self._overflow = "drop-head" if overflow is None else overflow.value
        self._ready_bytes = 0

    def publish(self, message: Message) -> int:
        """As Queue.publish; answers REFUSED if there is no room and the queue does not make any."""
        size = message.body_size_bytes
        if self._overflow != "drop-head" and self._exceeds(self.message_count + 1, self._ready_bytes + size):
            if self._overflow == "reject-publish-dlx":
                dead_letter(self, message, MAXLEN)
            return REFUSED
        count_before = self.message_count
        outcome = super().publish(message)
        if self.message_count > count_before:
            self._ready_bytes += size
            self._drop_from_head()
        return outcome

    def requeue(self, entries: list[Entry]) -> None:
        """What comes back counts again, and may push out the head at once (RabbitMQ: LEN-1)."""
        if not self.is_deleted:
            self._ready_bytes += sum(entry.message.body_size_bytes for entry in entries)
        super().requeue(entries)
        if self._overflow == "drop-head":
            self._drop_from_head()

    def purge(self) -> int:
        self._ready_bytes = 0
        return super().purge()

    def _pop(self) -> Entry:
        entry = super()._pop()
        self._ready_bytes -= entry.message.body_size_bytes
        return entry

    def _drop_from_head(self) -> None:
        while self._exceeds(self.message_count, self._ready_bytes):
            dead_letter(self, self._pop().message, MAXLEN)

    def _exceeds(self, count: int, size_bytes: int) -> bool:
        return (self._max_count is not None and count > self._max_count) or (
            self._max_bytes is not None and size_bytes > self._max_bytes
        )


def _limit(arguments: Table, name: str) -> int | None:
    field = arguments.get(name)
    return field.value if field is not None and isinstance(field.value, int) else None
