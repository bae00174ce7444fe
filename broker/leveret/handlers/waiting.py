"""Who waits for the store: publisher confirms, commits of transactions (RabbitMQ: CFM-4, TX-4), and declarations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from leveret.handlers.channel import Channel
from leveret_protocol.methods import Frame, Tx, make

if TYPE_CHECKING:
    from leveret.handlers.connection import Connection

    Handler = Callable[[Channel, Any], Frame | None]


class AwaitedConfirm:
    """A publish of a channel in confirm mode that queues keep; see Confirms.owe."""

    __slots__ = ("_channel", "_number")

    def __init__(self, channel: Channel, number: int) -> None:
        self._channel = channel
        self._number = number

    def safe(self) -> None:
        """One of the queues has it safe."""
        channel = self._channel
        if channel.core.confirms.confirm(self._number) and not channel.has_confirms_to_tell:
            channel.connection.tell_confirms_later(channel)


class AwaitedCommit:
    """A tx.commit that some of its messages have to be on the disk for."""

    __slots__ = ("_channel",)

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def safe(self) -> None:
        channel = self._channel
        if channel.connection.has_open(channel):
            channel.send(make(Tx.CommitOk))


class AwaitedDefinitions:
    """A connection that is not to be told of what was declared and deleted until now before it is on the disk."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def safe(self) -> None:
        self._connection.release()


def answered_when_safe(handler: Handler) -> Handler:
    """A handler whose reply is sent when what it tells of is on the disk, whoever declared or deleted it.

    RabbitMQ: mnesia_sync; its transactions of durable things are flushed before the reply.
    """

    def handle(channel: Channel, method: Any) -> Frame | None:
        reply = handler(channel, method)
        keeper = channel.core.vhost.node.keeper
        is_answered = not getattr(method, "nowait", False)  # unbind always is
        if is_answered and keeper is not None and keeper.unsafe_definitions:
            channel.connection.hold()
            keeper.store.when_safe(AwaitedDefinitions(channel.connection))
        return reply

    return handle
