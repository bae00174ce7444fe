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


class ReplyConsumer:
    """The pseudo-queue of one channel that consumes from amq.rabbitmq.reply-to.

    Its name is the key that responders publish to on the default exchange. It holds nothing: a reply is delivered or,
    once the channel is gone, dropped.
    """

    __slots__ = ("_channel", "_send", "is_deleted", "name", "tag")

    is_exchange = False

    def __init__(self, channel: Channel, tag: str, send: Send) -> None:
        self.name = REPLY_TO_PREFIX + secrets.token_urlsafe(32)
        self.tag = tag
        self.is_deleted = False
        self._channel = channel
        self._send = send

    def publish(self, message: Message) -> int:
        """Deliver it. Replies take part in the channel's delivery tags."""
        if self.is_deleted:
            return TAKEN
        self._channel.last_delivery_tag += 1
        self._send(self._channel.last_delivery_tag, False, message)
        return TAKEN
