"""Messages that come back from the store."""

from __future__ import annotations

import functools

from leveret.handlers.content import BlindCopied, DeadLetter, PublishedMessage
from leveret.handlers.stored_form import DEAD_LETTER, PLAIN, unpack
from leveret_protocol.publish import Publish

_PUBLISHES_REMEMBERED = 1024


def loaded(octets: bytes) -> PublishedMessage:
    """The message that had these bytes."""
    kind, failed_count, header_size, channel_number, names, more_keys, frames = unpack(octets)
    message = PublishedMessage(_publish(names), frames, header_size, channel_number)
    if kind == PLAIN:
        return message
    return (
        DeadLetter.of(message, more_keys, failed_count) if kind == DEAD_LETTER else BlindCopied.of(message, more_keys)
    )


@functools.lru_cache(_PUBLISHES_REMEMBERED)
def _publish(names: bytes) -> Publish:
    return Publish(names, names[0], 0)
