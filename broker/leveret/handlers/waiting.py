"""Who waits for the store: publisher confirms, and commits of transactions (RabbitMQ: CFM-4, TX-4)."""

from __future__ import annotations

from leveret.handlers.channel import Channel
from leveret_protocol.methods import Tx, make


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
