"""Contents on their way out: basic.deliver, and the frames of a message as a connection can take them."""

from __future__ import annotations

from collections.abc import Callable

from leveret.core.consumer import Send
from leveret.core.message import Message
from leveret.handlers.content import PublishedMessage
from leveret_protocol.content import frames_fit, reframe
from leveret_protocol.publish import deliver_prefix

QUICK_BYTES_MAX = 4096  # of a content that is not worth being counted


def deliverer(
    output: list[bytes], wake: Callable[[], None], fills: Callable[[int], bool], frame_max: int, channel_number: int,
    consumer_tag: str,
) -> Send:  # fmt: skip
    """The door of one consumer: basic.deliver into a connection's output.

    The frame is put together from a prefix (consumer tag), the delivery tag, and a suffix that the publish brought
    along; the content goes out as it came in, unless the channel number or the frame size forbids it.

    fills(bytes): so many more, is the output full with them?
    """
    prefixes: dict[int, bytes] = {}
    quick_bytes_max = min(frame_max or QUICK_BYTES_MAX, QUICK_BYTES_MAX)

    def send(delivery_tag: int, redelivered: bool, message: Message) -> bool:
        suffix = message.publish.deliver_suffix[redelivered]  # type: ignore[attr-defined]
        size = len(suffix)
        prefix = prefixes.get(size)
        if prefix is None:
            prefix = prefixes[size] = deliver_prefix(channel_number, consumer_tag, size)
        frames = message.frames  # type: ignore[attr-defined]
        if not output:
            wake()
        if message.channel_number != channel_number or len(frames) > quick_bytes_max:  # type: ignore[attr-defined]
            frames = framed(message, channel_number, frame_max)
            output.extend((prefix, delivery_tag.to_bytes(8, "big"), suffix, frames))
            return fills(len(frames))
        output.extend((prefix, delivery_tag.to_bytes(8, "big"), suffix, frames))
        return False

    return send


def framed(message: Message, channel_number: int, frame_max: int) -> bytes:
    """The content's frames, fit for a connection and the channel."""
    assert isinstance(message, PublishedMessage)
    if message.channel_number == channel_number and frames_fit(message.frames, message.header_size, frame_max):
        return message.frames
    return reframe(message.frames, message.header_size, channel_number, frame_max)
