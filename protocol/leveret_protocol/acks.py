"""Runs of basic.ack: a client that acknowledges each delivery singly sends many in one piece."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from leveret_protocol.constants import FRAME_END, FRAME_OVERHEAD

ACK_PAYLOAD_SIZE: Final = 13
ACK_FRAME_SIZE: Final = ACK_PAYLOAD_SIZE + FRAME_OVERHEAD
_HEAD_SIZE: Final = 11  # up to the delivery tag: the same in all acks of a channel
_FRAME: Final = struct.Struct(">11sQH")  # head, delivery tag, bits and frame end
_NOT_MULTIPLE: Final = FRAME_END  # behind bits that are all 0


class Acks(NamedTuple):
    """Stands for several basic.ack in a row on one channel, each of one delivery tag."""

    delivery_tags: list[int]


def tags_of_acks(data: bytes, position: int, end: int) -> list[int]:
    """The delivery tags of the acks from `position` on, where one stands; those with any bit set are none of them."""
    head = data[position : position + _HEAD_SIZE]
    end -= (end - position) % ACK_FRAME_SIZE
    tags = []
    for found, tag, rest in _FRAME.iter_unpack(memoryview(data)[position:end]):
        if found != head or rest != _NOT_MULTIPLE:
            break
        tags.append(tag)
    return tags
