"""What a connection sends: gathered while it is worked on, and told of to the shell, which sends it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from leveret.core.consumer import Send
from leveret.core.message import Message
from leveret.handlers.delivering import deliverer, framed
from leveret_protocol.publish import confirm_frame, nack_frame

if TYPE_CHECKING:
    from leveret.handlers.channel import Channel


class Outgoing(ABC):
    """Args:
    wake: see `output`.
    frame_max: until another one has been negotiated.

    output: what is to be sent. Whoever appends to the empty list calls `wake` first.
    """

    def __init__(self, wake: Callable[[], None], frame_max: int) -> None:
        self.output: list[bytes] = []
        self._wake = wake
        self._frame_max = frame_max
        self._holds = 0
        self._to_confirm: list[Channel] = []

    def send(self, octets: bytes) -> None:
        if not self.output:
            self._wake()
        self.output.append(octets)

    def deliverer(self, channel_number: int, consumer_tag: str) -> Send:
        """The door of one consumer."""
        return deliverer(self.output, self._wake, self._frame_max, channel_number, consumer_tag)

    def framed(self, message: Message, channel_number: int) -> bytes:
        return framed(message, channel_number, self._frame_max)

    def tell_confirms_later(self, channel: Channel) -> None:
        """Confirms of a turn are told together when it is over."""
        if not channel.has_confirms_to_tell:
            channel.has_confirms_to_tell = True
            if not self._to_confirm and not self.output:
                self._wake()
            self._to_confirm.append(channel)

    @property
    def is_held(self) -> bool:
        return self._holds > 0

    def hold(self) -> None:
        """Nothing of `output`, from now on and until as many calls of `release`, is to be sent."""
        self._holds += 1

    def release(self) -> None:
        if self._holds == 1:
            self._wake()
        self._holds -= 1

    def tell_confirms(self) -> None:
        """The turn is over."""
        for channel in self._to_confirm:
            channel.has_confirms_to_tell = False
            if self.has_open(channel):
                for number, multiple, is_ack in channel.core.confirms.take():
                    frame = confirm_frame if is_ack else nack_frame
                    self.send(frame(channel.number, number, multiple))
        self._to_confirm.clear()

    @abstractmethod
    def has_open(self, channel: Channel) -> bool:
        """May the client still be told something on it?"""

    def wake(self) -> None:
        """Have the shell look at this connection, though there may be no output."""
        if not self.output:
            self._wake()
