"""Direct reply-to: a reply goes from a publisher straight to the channel that asked (RabbitMQ: "Direct reply-to")."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from leveret.core.consumer import Send
from leveret.core.message import Message
from leveret.core.names import REPLY_TO_PREFIX
from leveret.core.queue import TAKEN

if TYPE_CHECKING:
    from leveret.core.channel import Channel


# What a requester that does not read is sent before replies to it are dropped: one message of the largest size.
# RabbitMQ has no limit here; consumers are held back by their queues, but a reply has no queue to wait in.
UNREAD_REPLY_BYTES_MAX = 16 * 1024 * 1024


class ReplyConsumer:
    """The pseudo-queue of one channel that consumes from amq.rabbitmq.reply-to.

    Its name is the key that responders publish to on the default exchange. It holds nothing: a reply is delivered
    or dropped, once the channel is gone or has not read for too long.
    """

    __slots__ = ("_unread_bytes", "channel", "is_deleted", "name", "send", "tag")

    is_exchange = False
    keeper = None
    counts = None  # RabbitMQ counts neither what goes this way nor its deliveries
    keeps_transient = False

    def __init__(self, channel: Channel, tag: str, send: Send) -> None:
        self.name = REPLY_TO_PREFIX + secrets.token_urlsafe(32)
        self.tag = tag
        self.is_deleted = False
        self.channel = channel
        self.send = send
        self._unread_bytes = 0

    def publish_persistent(self, message: Message) -> int:
        return self.publish(message)

    def expect_expiration(self) -> None:
        """Replies are delivered at once or never."""

    def publish(self, message: Message) -> int:
        """Deliver it. Replies take part in the channel's delivery tags."""
        if self.is_deleted:
            return TAKEN
        if not self.channel.is_paused:
            self._unread_bytes = 0
        elif self._unread_bytes > UNREAD_REPLY_BYTES_MAX:
            return TAKEN
        else:
            self._unread_bytes += message.size_bytes
        self.channel.last_delivery_tag += 1
        if self.channel.served_last is not None:
            self.channel.serve(None)
        self.send(self.channel.last_delivery_tag, False, message)
        return TAKEN
