"""Messages that come back from the store."""

from __future__ import annotations

import functools

from leveret.handlers.content import BlindCopied, DeadLetter, PublishedMessage
from leveret.handlers.stored_form import DEAD_LETTER, PLAIN, START, short_strings
from leveret_protocol.publish import Publish

_PUBLISHES_REMEMBERED = 1024
_EXCHANGE_AT = START.size


def loaded(octets: bytes) -> PublishedMessage:
    """The message that had these bytes. The store has seen to it that they are the ones it was given."""
    exchange_end = _EXCHANGE_AT + 1 + octets[_EXCHANGE_AT]
    names_end = exchange_end + 1 + octets[exchange_end]
    (kind, failed_count, header_size, channel_number, keys_size), publish = _start(octets[:names_end])
    message = PublishedMessage(publish, octets[names_end + keys_size :], header_size, channel_number)
    if kind == PLAIN:
        return message
    more_keys = short_strings(octets[names_end : names_end + keys_size])
    return (
        DeadLetter.of(message, more_keys, failed_count) if kind == DEAD_LETTER else BlindCopied.of(message, more_keys)
    )


@functools.lru_cache(_PUBLISHES_REMEMBERED)
def _start(octets: bytes) -> tuple[tuple[int, int, int, int, int], Publish]:
    """What stands before the further keys: the same in most messages of a queue."""
    return START.unpack_from(octets), _publish(octets[_EXCHANGE_AT:])


@functools.lru_cache(_PUBLISHES_REMEMBERED)
def _publish(names: bytes) -> Publish:
    return Publish(names, names[0], 0)
