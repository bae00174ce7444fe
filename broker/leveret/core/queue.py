"""The classic queue: what is ready, who may take it, and the way back for what was not settled.

How this works. Messages wait in `_ready` in the order in which they came. What a channel gives back waits in
`_returned`, a heap by position: everything in it was handed out before, so it stands before all of `_ready`. A
message that finds an empty queue and a consumer with room goes straight to it. Otherwise `pump` brings ready
messages and consumers together; it works in slices, so that one long backlog holds nobody up: it never leaves ready
messages and able consumers side by side unless it has asked the node for another slice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from leveret.core.dead_letter import REJECTED, dead_letter
from leveret.core.message import Entry, Message
from leveret.core.rotation import Rotation
from leveret.core.settings import QueueSettings, queue_settings
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import Table

if TYPE_CHECKING:
    from leveret.core.consumer import Consumer
    from leveret.core.vhost import VirtualHost

# One slice of a backlog, about as much as RabbitMQ sends before it looks at the credit of its consumers (400).
SLICE_MESSAGES = 256
SLICE_BYTES = 262_144

# What Queue.publish answers.
TAKEN = 0
REFUSED = 2  # there is no room for it
BACKLOG = 1  # it waits behind others although there are consumers: they are slower than the publishers


class Queue:
    """A classic queue.

    type_name: "classic", or "quorum": for now the same queue under another name, without a delivery limit.
    owner: the connection whose exclusive queue this is, or None. Only compared, never looked into.
    arguments: as declared, with their wire types.
    """

    __slots__ = (
        "_next_position", "_ready", "_returned", "arguments", "auto_delete", "consumers", "durable", "is_deleted",
        "name", "owner", "rotation", "settings", "type_name", "unacked_count", "vhost",
    )  # fmt: skip

    is_exchange = False

    def __init__(
        self, vhost: VirtualHost, name: str, *, durable: bool, auto_delete: bool, owner: object | None,
        arguments: Table, queue_type: str = "classic",
    ) -> None:  # fmt: skip
        self.type_name = queue_type
        self.vhost = vhost
        self.name = name
        self.durable = durable
        self.auto_delete = auto_delete
        self.owner = owner
        self.arguments = arguments
        self.settings: QueueSettings = queue_settings(queue_type, arguments, {})
        self.consumers: list[Consumer] = []
        self.rotation = Rotation()
        self.unacked_count = 0
        self.is_deleted = False
        self._ready: deque[Entry] = deque()
        self._returned: list[tuple[int, Entry]] = []
        self._next_position = 0

    def __str__(self) -> str:
        return f"queue '{self.name}' in vhost '{self.vhost.name}'"

    @property
    def message_count(self) -> int:
        """Ready messages; those handed out and not settled do not count (RabbitMQ: QU-11)."""
        return len(self._ready) + len(self._returned)

    # -- in ---------------------------------------------------------------------------------------------------------

    def publish(self, message: Message) -> int:
        """Take a message: straight to a consumer, or to the end of the queue. Answers TAKEN or BACKLOG."""
        active = self.rotation.active
        if active and not self._ready and not self._returned:
            consumer = active[0]
            if consumer.no_ack:
                consumer.deliver_fresh(message)
                if len(active) > 1:
                    active.rotate(-1)
                return TAKEN
            position = self._next_position
            self._next_position = position + 1
            self.unacked_count += 1
            self._turn(consumer, Entry(message, position))
            return TAKEN
        position = self._next_position
        self._next_position = position + 1
        self._ready.append(Entry(message, position))
        return BACKLOG if self.consumers else TAKEN

    def requeue(self, entries: list[Entry]) -> None:
        """Put back what was handed out, each at its old place and marked as redelivered."""
        if self.is_deleted:
            return
        self.unacked_count -= len(entries)
        for entry in entries:
            entry.redelivered = True
            heappush(self._returned, (entry.position, entry))
        self.pump()

    # -- out --------------------------------------------------------------------------------------------------------

    def _pop(self) -> Entry:
        return heappop(self._returned)[1] if self._returned else self._ready.popleft()

    def _turn(self, consumer: Consumer, entry: Entry) -> None:
        """Give the entry to the consumer at the head of the rotation, and move the rotation on."""
        active = self.rotation.active
        if consumer.deliver(entry):
            if len(active) > 1:
                active.rotate(-1)
        else:
            consumer.is_able = False
            self.rotation.leave()

    def pump(self) -> None:
        """One slice of bringing ready messages to able consumers; asks for another slice if both are left."""
        rotation = self.rotation
        messages_left, bytes_left = SLICE_MESSAGES, SLICE_BYTES
        while rotation.active and (self._ready or self._returned):
            if messages_left <= 0 or bytes_left <= 0:
                self.vhost.node.add_work(self.pump)
                return
            entry = self._pop()
            consumer = rotation.active[0]
            if not consumer.no_ack:
                self.unacked_count += 1
            self._turn(consumer, entry)
            messages_left -= 1
            bytes_left -= entry.message.size_bytes

    def get(self, *, no_ack: bool) -> Entry | None:
        """basic.get: the first ready message, whatever the consumers; None if there is none."""
        if not self._ready and not self._returned:
            return None
        if not no_ack:
            self.unacked_count += 1
        return self._pop()

    def settle(self, entry: Entry) -> None:
        """The message was acked, or thrown away by its consumer: it is done with."""
        if not self.is_deleted:
            self.unacked_count -= 1

    def reject(self, entry: Entry) -> None:
        """basic.reject or nack without requeue. RabbitMQ: nothing is dead-lettered once the queue is gone (QU-35)."""
        self.settle(entry)
        if not self.is_deleted and "x-dead-letter-exchange" in self.arguments:
            dead_letter(self, entry.message, REJECTED)

    def purge(self) -> int:
        """Throw away all ready messages; those handed out stay. Answers how many there were."""
        count = self.message_count
        if self._ready:
            self.vhost.node.add_work(_free_in_slices(self.vhost, self._ready))
            self._ready = deque()
        self._returned = []
        return count

    # -- consumers --------------------------------------------------------------------------------------------------

    def add_consumer(self, consumer: Consumer) -> None:
        """Start a consumer. The caller has sent consume-ok already: it precedes the first delivery (RabbitMQ: B-11)."""
        self.consumers.append(consumer)
        self.refresh(consumer)
        self.pump()

    def check_exclusive(self, *, exclusive: bool) -> None:
        """Raises ACCESS_REFUSED (403): an exclusive consumer exists, or this one wants to be it beside others."""
        if self.consumers and (exclusive or self.consumers[0].exclusive):
            raise AMQPError(ReplyCode.ACCESS_REFUSED, f"{self} in exclusive use")

    def remove_consumer(self, consumer: Consumer) -> None:
        """It was cancelled or its channel is gone. Unacked messages stay with the channel."""
        self.consumers.remove(consumer)
        if consumer.is_able:
            consumer.is_able = False
            self.rotation.remove(consumer)

    def refresh(self, consumer: Consumer) -> bool:
        """Bring the rotation in line with whether the consumer has room. True: it came in, so `pump` is due."""
        if consumer.has_room == consumer.is_able:
            return False
        consumer.is_able = not consumer.is_able
        if consumer.is_able:
            self.rotation.add(consumer)
        else:
            self.rotation.remove(consumer)
        return consumer.is_able

    def close(self) -> list[Consumer]:
        """Deleted: drop everything. Answers the consumers, which are to be told; acks for it are no-ops from now on."""
        self.is_deleted = True
        self.purge()
        orphans, self.consumers, self.rotation = self.consumers, [], Rotation()
        for consumer in orphans:
            consumer.is_able = False
        return orphans


def _free_in_slices(vhost: VirtualHost, ready: deque[Entry]) -> Callable[[], None]:
    """Freeing a million messages takes a tenth of a second: do it in slices."""

    def free() -> None:
        for _ in range(min(len(ready), 10 * SLICE_MESSAGES)):
            ready.popleft()
        if ready:
            vhost.node.add_work(free)

    return free
