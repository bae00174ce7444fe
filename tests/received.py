"""What the broker sends, taken apart: not by the broker's own reader, and checked on the way.

Whole frames, the content of a message in one piece, no body frame beyond frame_max.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from leveret_protocol import constants
from leveret_protocol.content import Properties, decode_properties
from leveret_protocol.fields import plain
from leveret_protocol.methods import Basic, Frame, decode_method

FRAME_START = struct.Struct(">BHI")
_WITH_CONTENT = (Basic.Deliver, Basic.GetOk, Basic.Return)


@dataclass(frozen=True)
class Received:
    """One method from the broker with its content. header: payload of the header frame; b"" without content."""

    channel: int
    method: Frame
    header: bytes = b""
    body: bytes = b""

    def __repr__(self) -> str:
        fields = {name: getattr(self.method, name) for name in self.method.__slots__}
        return f"<{self.method.name} {fields} on {self.channel}, {len(self.body)} bytes: {self.body[:40]!r}>"

    @property
    def properties(self) -> Properties:
        return decode_properties(self.header)

    @property
    def property_bytes(self) -> bytes:
        """The flags and the values, as they came."""
        return self.header[12:]

    @property
    def headers(self) -> Any:
        """The headers as plain Python values."""
        return plain(self.properties.headers or {})

    @property
    def delivery_tag(self) -> int:
        tag = getattr(self.method, "delivery_tag")  # noqa: B009  (only some methods have it)
        assert isinstance(tag, int)
        return tag

    @property
    def redelivered(self) -> bool:
        assert isinstance(self.method, Basic.Deliver | Basic.GetOk)
        return bool(self.method.redelivered)


def first_frame(data: bytes) -> tuple[bytes, bytes]:
    end = FRAME_START.size + FRAME_START.unpack_from(data)[2] + 1
    return data[:end], data[end:]


def take_apart(data: bytes, frame_max: int) -> Iterator[Received]:
    """Whole frames to methods with their content, which must stand right behind its method (RabbitMQ: CT-2)."""
    frames = _frames(data)
    for kind, channel, payload in frames:
        assert kind == constants.FRAME_METHOD, (kind, payload)
        method = decode_method(payload, channel)
        if not isinstance(method, _WITH_CONTENT):
            yield Received(channel, method)
            continue
        kind, content_channel, header = next(frames)
        assert (kind, content_channel) == (constants.FRAME_HEADER, channel)
        class_id, weight, body_size = struct.unpack_from(">HHQ", header)
        assert (class_id, weight) == (constants.CLASS_BASIC, 0)
        body = b""
        while len(body) < body_size:
            kind, content_channel, piece = next(frames)
            assert (kind, content_channel) == (constants.FRAME_BODY, channel)
            assert 0 < len(piece) <= frame_max - constants.FRAME_OVERHEAD
            body += piece
        assert len(body) == body_size
        yield Received(channel, method, header, body)


def _frames(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    while data:
        kind, channel, size = FRAME_START.unpack_from(data)
        payload, end = data[FRAME_START.size : FRAME_START.size + size], FRAME_START.size + size
        assert data[end] == constants.FRAME_END
        yield kind, channel, payload
        data = data[end + 1 :]
