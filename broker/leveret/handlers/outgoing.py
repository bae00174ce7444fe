"""What a connection sends: gathered while it is worked on, and told of to the shell, which sends it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from leveret.core.consumer import Send
from leveret.core.message import Message
from leveret.handlers.delivering import deliverer, framed
from leveret_protocol.publish import confirm_frame, nack_frame

if TYPE_CHECKING:
    from leveret.handlers.channel import Channel

# Of large contents between two looks at what the kernel takes. More than a socket buffer, so it is not idle.
OUTPUT_BYTES_MAX = 4 * 1024 * 1024
# What a turn may put out; the rest of it waits until less is unsent. Else one read of get and nack, of recover alone,
# or of small publishes to a thousand queues would put out a message a thousand times. RabbitMQ: its writers block.
TURN_OUTPUT_BYTES_MAX = 1024 * 1024
# What a method counts as, besides its output: they take 10 to 80 us, and a read brings 1,500 of them.
METHOD_BYTES = 4096


class TurnIsOver(Exception):
    """A method was the last one of this turn. has_more: it is to be called again in the next, before any other."""

    def __init__(self, *, has_more: bool = False) -> None:
        super().__init__()
        self.has_more = has_more


class Outgoing:
    """Args:
    wake: see `output`.
    frame_max: until another one has been negotiated.

    output: what is to be sent. Whoever appends to the empty list calls `wake` first.
    is_paused: nothing is handed over to its consumers, until the shell has seen all output off and resumes that.
    """

    def __init__(self, wake: Callable[[], None], frame_max: int) -> None:
        self.output: list[bytes] = []
        self.is_paused = False
        self._wake_shell = wake
        self._large_bytes = 0  # in `output`, about
        self._turn_output_bytes = 0
        self._first_number = 0  # of the channels to be resumed
        self._frame_max = frame_max
        self._holds = 0
        self._to_confirm: list[Channel] = []

    @property
    @abstractmethod
    def channels(self) -> list[Channel]: ...

    def _wake(self) -> None:
        """There is no output yet, or nobody had to know of it."""
        self._large_bytes = 0
        self._wake_shell()

    def send(self, octets: bytes) -> None:
        if not self.output:
            self._wake()
        self.output.append(octets)

    def deliverer(self, channel_number: int, consumer_tag: str) -> Send:
        """The door of one consumer."""
        return deliverer(self.output, self._wake, self._fills, self._frame_max, channel_number, consumer_tag)

    def _fills(self, size_bytes: int) -> bool:
        """One publish may bring a large message to hundreds of consumers: those behind the bound wait."""
        self._large_bytes += size_bytes
        is_full = self._large_bytes > OUTPUT_BYTES_MAX
        if is_full and not self.is_paused:
            self.pause_deliveries()
        return is_full

    def puts_out(self, size_bytes: int) -> None:
        """So much came of a method. Raises TurnIsOver."""
        self._turn_output_bytes += size_bytes
        if self._turn_output_bytes > TURN_OUTPUT_BYTES_MAX:
            raise TurnIsOver

    def pause_deliveries(self) -> None:
        """The peer does not read as fast as it is sent to: its consumers wait, others get the messages."""
        self.is_paused = True
        for channel in self.channels:
            if not channel.core.is_paused:
                channel.core.pause()

    def resume_deliveries(self) -> None:
        """All that was put out is sent. The channel that was cut short the last time is the first, but not twice."""
        self.is_paused = False
        first = self._first_number
        for channel in sorted(self.channels, key=lambda channel: (channel.number < first, channel.number)):
            channel.core.resume()
            if self.is_paused:
                self._first_number = channel.number + (channel.number == first)
                break

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
