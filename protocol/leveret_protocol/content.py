"""The content of a message as it is on the wire: a header frame and body frames, all of one channel.

A message is kept as these bytes ("frames") together with the size of the header frame's payload ("header_size"), so a
delivery on the channel number it came on sends them as they are:

    02 channel(2) size(4) header payload ce | 03 channel(2) size(4) body ce | 03 ...

There is no body frame if the body is empty, and no empty one otherwise (CT-1). Body frames are as large as frame_max
allows, all but the last one, so the first is never smaller than the others.
"""

import struct
from collections.abc import Iterable
from typing import Final, TypeAlias

from leveret_protocol.constants import FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_OVERHEAD
from leveret_protocol.properties import Properties, decode_properties, encode_header, replace_reply_to

Octets: TypeAlias = bytes | bytearray | memoryview

_FRAME_START: Final = struct.Struct(">BHI")
_FRAME_START_SIZE: Final = 7
_SIZE: Final = struct.Struct(">I")
_BODY_SIZE: Final = struct.Struct(">Q")
_CHANNEL_NUMBER: Final = struct.Struct(">BH")
_FRAME_END: Final = bytes((FRAME_END,))


def frames_header(frames: bytes, header_size: int) -> bytes:
    """The payload of the header frame: class, weight, body size, property flags, properties."""
    return frames[_FRAME_START_SIZE : _FRAME_START_SIZE + header_size]


def frames_body(frames: bytes, header_size: int) -> bytes:
    """The body, put together."""
    first = header_size + FRAME_OVERHEAD
    body_size = len(frames) - first - FRAME_OVERHEAD
    if body_size <= 0:
        return b""
    if _SIZE.unpack_from(frames, first + 3)[0] == body_size:
        return frames[first + _FRAME_START_SIZE : -1]
    pieces = []
    while first < len(frames):
        start = first + _FRAME_START_SIZE
        first = start + _SIZE.unpack_from(frames, first + 3)[0] + 1
        pieces.append(frames[start : first - 1])
    return b"".join(pieces)


def frames_body_size(frames: bytes, header_size: int) -> int:
    """Bytes in the body, as the header frame has it."""
    size: int = _BODY_SIZE.unpack_from(frames, _FRAME_START_SIZE + 4)[0]
    return size


def content_frames(channel_number: int, header_payload: bytes, body: Octets, frame_max: int) -> bytes:
    """The frames of a content.

    Args:
        header_payload: goes into one frame, however large (RabbitMQ never splits it, CT-4).
        frame_max: bytes of the largest body frame including its 8 bytes of overhead; 0 is no limit.
    """
    step = max(frame_max - FRAME_OVERHEAD if frame_max else len(body), 1)
    view = memoryview(body)
    return frames_of(channel_number, header_payload, [view[at : at + step] for at in range(0, len(body), step)])


def frames_of(channel_number: int, header_payload: bytes, pieces: Iterable[Octets]) -> bytes:
    """The frames of a content, with a body frame for each piece."""
    frames: list[Octets] = [
        _FRAME_START.pack(FRAME_HEADER, channel_number, len(header_payload)),
        header_payload,
        _FRAME_END,
    ]
    for piece in pieces:
        frames += (_FRAME_START.pack(FRAME_BODY, channel_number, len(piece)), piece, _FRAME_END)
    return b"".join(frames)


def replace_header(frames: bytes, header_size: int, header_payload: bytes) -> bytes:
    """The same content with another header. header_size: of the one that it has."""
    size = _SIZE.pack(len(header_payload))
    return b"".join((frames[:3], size, header_payload, frames[_FRAME_START_SIZE + header_size :]))


def reframe(frames: bytes, header_size: int, channel_number: int, frame_max: int) -> bytes:
    """The same content for another channel number and frame_max (0 is no limit)."""
    first = header_size + FRAME_OVERHEAD
    body_size = len(frames) - first - FRAME_OVERHEAD
    if body_size < 0:  # no body frame
        return _CHANNEL_NUMBER.pack(FRAME_HEADER, channel_number) + frames[3:]
    is_one_frame = _SIZE.unpack_from(frames, first + 3)[0] == body_size
    if is_one_frame and (body_size <= frame_max - FRAME_OVERHEAD or not frame_max):
        return b"".join(
            (
                _CHANNEL_NUMBER.pack(FRAME_HEADER, channel_number),
                frames[3:first],
                _CHANNEL_NUMBER.pack(FRAME_BODY, channel_number),
                frames[first + 3 :],
            )
        )
    header_payload = frames_header(frames, header_size)
    return content_frames(channel_number, header_payload, frames_body(frames, header_size), frame_max)


def frames_fit(frames: bytes, header_size: int, frame_max: int) -> bool:
    """Whether no body frame is larger than frame_max allows (0 is no limit).

    It is enough to look at the first one. A header frame always fits: RabbitMQ sends it at any size (CT-4).
    """
    first = header_size + FRAME_OVERHEAD
    if not frame_max or len(frames) == first:
        return True
    first_size: int = _SIZE.unpack_from(frames, first + 3)[0]
    return first_size <= frame_max - FRAME_OVERHEAD


__all__ = [
    "Properties",
    "content_frames",
    "decode_properties",
    "encode_header",
    "frames_body",
    "frames_body_size",
    "frames_fit",
    "frames_header",
    "frames_of",
    "reframe",
    "replace_header",
    "replace_reply_to",
]
