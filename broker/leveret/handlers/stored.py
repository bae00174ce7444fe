"""Messages as the store keeps them: their frames as they came, behind the names they were published to."""

from __future__ import annotations

import functools
import struct

from leveret.core.message import Message
from leveret.handlers.content import BlindCopied, DeadLetter, PublishedMessage
from leveret_protocol.publish import Publish

# Kind, failed_count, payload bytes of the header frame, the channel number in the frames, bytes of further keys; then
# exchange and routing key as short strings, the further keys as short strings, the frames.
_START = struct.Struct(">BIIHI")
_PLAIN, _DEAD_LETTER, _BLIND_COPIED = range(3)
_PUBLISHES_REMEMBERED = 1024


def stored_form(message: Message) -> bytes:
    """What `loaded` makes the same message of."""
    assert isinstance(message, PublishedMessage)
    names = message.publish.deliver_suffix[0][1:-1]  # between the redelivered octet and the frame end
    if type(message) is PublishedMessage:
        return _START.pack(_PLAIN, 0, message.header_size, message.channel_number, 0) + names + message.frames
    assert isinstance(message, DeadLetter | BlindCopied)
    kind = _DEAD_LETTER if isinstance(message, DeadLetter) else _BLIND_COPIED
    keys = b"".join(map(_short_string, message.more_keys))
    start = _START.pack(kind, message.failed_count, message.header_size, message.channel_number, len(keys))
    return start + names + keys + message.frames


def loaded(octets: bytes) -> PublishedMessage:
    """The message of its stored form. The store has seen to it that these are the bytes it was given."""
    kind, failed_count, header_size, channel_number, keys_size = _START.unpack_from(octets)
    exchange_end = _START.size + 1 + octets[_START.size]
    names_end = exchange_end + 1 + octets[exchange_end]
    publish = _publish(octets[_START.size : names_end])
    frames_start = names_end + keys_size
    message = PublishedMessage(publish, octets[frames_start:], header_size, channel_number)
    if kind == _PLAIN:
        return message
    keys = _short_strings(octets[names_end:frames_start])
    return DeadLetter.of(message, keys, failed_count) if kind == _DEAD_LETTER else BlindCopied.of(message, keys)


@functools.lru_cache(_PUBLISHES_REMEMBERED)
def _publish(names: bytes) -> Publish:
    return Publish(names, names[0], 0)


def _short_string(text: str) -> bytes:
    octets = text.encode("utf-8", "surrogateescape")
    return bytes((len(octets),)) + octets


def _short_strings(octets: bytes) -> list[str]:
    texts = []
    while octets:
        end = 1 + octets[0]
        texts.append(octets[1:end].decode("utf-8", "surrogateescape"))
        octets = octets[end:]
    return texts
