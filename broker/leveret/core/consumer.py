"""One basic.consume: what it may be given, and the door through which deliveries leave the core."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from leveret.core.message import Entry, Message
from leveret_protocol.fields import Table

if TYPE_CHECKING:
    from leveret.core.channel import Channel
    from leveret.core.queue import Queue

# RabbitMQ: what a consumer of a quorum queue without a prefetch count has (rabbit_fifo_client).
PREFETCH_COUNT_MAX: Final = 2000

Send = Callable[[int, bool, Message], bool]


class Consumer:
    """A consumer of one queue on one channel.

    send(delivery_tag, redelivered, message): puts a basic.deliver into the connection's output. Answers whether that is
    full now; then the channel has been paused.
    cancelled(): tells the client that its queue is gone.
    prefetch_count: deliveries that may be unacked at once, 0 for no limit. Fixed when the consumer starts
    (RabbitMQ: basic.qos with global=false holds for consumers started afterwards).
    delivered_count: all that it was given, see Channel.serve; redelivered_count: those of them that were redeliveries;
    returned_count: those that it rejected, or that went back to the queue. tallied: for ChannelCounts.
    """

    __slots__ = (
        "arguments", "cancelled", "channel", "delivered_count", "exclusive", "is_able", "last_delivery_tag", "no_ack",
        "prefetch_count", "priority", "queue", "redelivered_count", "returned_count", "send", "tag", "tallied",
        "unacked_count",
    )  # fmt: skip

    def __init__(
        self, tag: str, queue: Queue, channel: Channel, *, no_ack: bool, exclusive: bool, priority: int,
        arguments: Table, send: Send, cancelled: Callable[[], None],
    ) -> None:  # fmt: skip
        self.tag = tag
        self.queue = queue
        self.channel = channel
        self.no_ack = no_ack
        self.exclusive = exclusive
        self.priority = priority
        self.arguments = arguments
        self.send = send
        self.cancelled = cancelled
        self.prefetch_count = 0 if no_ack else channel.prefetch_count
        self.unacked_count = 0
        self.delivered_count = self.redelivered_count = self.returned_count = 0
        self.tallied = (0, 0, 0)
        self.last_delivery_tag = 0  # who was served longest ago is next
        self.is_able = False  # is it in its queue's rotation?

    @property
    def has_room(self) -> bool:
        """May it be given another message now? Prefetch does not apply to no_ack consumers (RabbitMQ: B-16)."""
        channel = self.channel
        if channel.is_paused:
            return False
        if self.no_ack:
            return True
        if 0 < self.prefetch_count <= self.unacked_count:
            return False
        return not 0 < channel.limit_count <= channel.consumed_count

    @property
    def acked_count(self) -> int:
        return 0 if self.no_ack else self.delivered_count - self.unacked_count - self.returned_count

    def deliver(self, entry: Entry) -> bool:
        """Hand the message over. False: it has no room for another one now."""
        channel = self.channel
        delivery_tag = channel.last_delivery_tag + 1
        channel.last_delivery_tag = delivery_tag
        self.last_delivery_tag = delivery_tag
        if channel.served_last is not self:
            channel.serve(self)
        redelivered = entry.redelivered
        if redelivered:
            self.redelivered_count += 1
        if self.no_ack:
            return not self.send(delivery_tag, redelivered, entry.message)
        channel.unacked[delivery_tag] = (entry, self.queue, self)
        channel.consumed_count += 1
        self.unacked_count = unacked_count = self.unacked_count + 1
        is_full = self.send(delivery_tag, redelivered, entry.message)
        if 0 < channel.limit_count <= channel.consumed_count:
            channel.limit_reached(self)
            return False
        return unacked_count != self.prefetch_count and not is_full

    def deliver_fresh(self, message: Message) -> bool:
        """Hand over a message that never was in the queue. For no_ack consumers: settled by sending it.

        False: the channel has been paused over it.
        """
        channel = self.channel
        channel.last_delivery_tag = delivery_tag = channel.last_delivery_tag + 1
        if channel.served_last is not self:
            channel.serve(self)
        return not self.send(delivery_tag, False, message)


class QuorumConsumer(Consumer):
    """The channel's limit for all its consumers does not hold for it (RabbitMQ: B-32 refuses the other order)."""

    __slots__ = ()

    def __init__(
        self, tag: str, queue: Queue, channel: Channel, *, no_ack: bool, exclusive: bool, priority: int,
        arguments: Table, send: Send, cancelled: Callable[[], None],
    ) -> None:  # fmt: skip
        super().__init__(
            tag, queue, channel, no_ack=no_ack, exclusive=exclusive, priority=priority, arguments=arguments, send=send,
            cancelled=cancelled,
        )  # fmt: skip
        self.prefetch_count = channel.prefetch_count or PREFETCH_COUNT_MAX

    @property
    def has_room(self) -> bool:
        return not self.channel.is_paused and self.unacked_count < self.prefetch_count

    def deliver(self, entry: Entry) -> bool:
        return super().deliver(entry) or self.has_room
