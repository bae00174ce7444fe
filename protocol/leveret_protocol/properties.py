"""The properties of a message: what follows the body size in the payload of a header frame.

AMQP 0-9-1 section 4.2.6.1. Flags come first, one bit for each property from the highest bit down; then the values of
those present. RabbitMQ ignores the two lowest bits, one of which announces a second flags word in AMQP 0-9-1 (FRM-21).
"""

import functools
import struct
from typing import Final

from leveret_protocol import frame_errors
from leveret_protocol.constants import CLASS_BASIC
from leveret_protocol.fields import Table
from leveret_protocol.tables import MalformedTable, decode_table, encode_table

_FLAGS_AT: Final = 12
_VALUES_AT: Final = 14

_HEADER_START: Final = struct.Struct(">HHQH")  # class id, weight, body size, flags

_SHORTSTR: Final = 0
_OCTET: Final = 1
_TABLE: Final = 2
_TIMESTAMP: Final = 3

_LAYOUT: Final = (
    (0x8000, "content_type", _SHORTSTR),
    (0x4000, "content_encoding", _SHORTSTR),
    (0x2000, "headers", _TABLE),
    (0x1000, "delivery_mode", _OCTET),
    (0x0800, "priority", _OCTET),
    (0x0400, "correlation_id", _SHORTSTR),
    (0x0200, "reply_to", _SHORTSTR),
    (0x0100, "expiration", _SHORTSTR),
    (0x0080, "message_id", _SHORTSTR),
    (0x0040, "timestamp", _TIMESTAMP),
    (0x0020, "type", _SHORTSTR),
    (0x0010, "user_id", _SHORTSTR),
    (0x0008, "app_id", _SHORTSTR),
    (0x0004, "cluster_id", _SHORTSTR),
)


class Properties:
    """The fourteen properties; None is absent.

    delivery_mode, priority: 0..255. timestamp: seconds, unsigned 64 bits. Strings: `surrogateescape`.
    """

    __slots__ = tuple(name for _, name, _ in _LAYOUT)

    content_type: str | None
    content_encoding: str | None
    headers: Table | None
    delivery_mode: int | None
    priority: int | None
    correlation_id: str | None
    reply_to: str | None
    expiration: str | None
    message_id: str | None
    timestamp: int | None
    type: str | None
    user_id: str | None
    app_id: str | None
    cluster_id: str | None

    def __init__(self) -> None:
        # One statement takes a third of the time of a loop, and every publish with properties not seen before pays it.
        self.content_type = self.content_encoding = self.headers = self.delivery_mode = self.priority = None
        self.correlation_id = self.reply_to = self.expiration = self.message_id = self.timestamp = None
        self.type = self.user_id = self.app_id = self.cluster_id = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Properties):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __repr__(self) -> str:
        present = [name for name in self.__slots__ if getattr(self, name) is not None]
        return f"Properties({', '.join(f'{name}={getattr(self, name)!r}' for name in present)})"


def decode_properties(header_payload: bytes) -> Properties:
    """The properties in the payload of a header frame.

    Raises: AMQPError INTERNAL_ERROR (541) 0/0, bare: a value is cut short, the headers are malformed, or bytes are left
        over (FRM-20).
    """
    properties = Properties()
    end = len(header_payload)
    offset = _VALUES_AT
    value: str | int | Table
    try:
        for name, kind in _present(header_payload[_FLAGS_AT] << 8 | header_payload[_FLAGS_AT + 1]):
            if kind == _SHORTSTR:
                start = offset + 1
                offset = start + header_payload[offset]
                value = header_payload[start:offset].decode("utf-8", "surrogateescape")
            elif kind == _OCTET:
                value = header_payload[offset]
                offset += 1
            elif kind == _TABLE:
                value, offset = decode_table(header_payload, offset, end)
            else:
                value = int.from_bytes(header_payload[offset : offset + 8], "big")
                offset += 8
            setattr(properties, name, value)
    except (IndexError, MalformedTable):
        raise frame_errors.malformed_properties() from None
    # A string cut short shows here as well: its slice was shorter, the offset is not.
    if offset != end:
        raise frame_errors.malformed_properties()
    return properties


def encode_header(properties: Properties, body_size: int) -> bytes:
    """The payload of a header frame. Present but empty strings and tables are kept (CT-6).

    Raises: ValueError or OverflowError for a string of more than 255 bytes or a number out of range.
    """
    flags = 0
    pieces = [b""]
    for flag, name, kind in _LAYOUT:
        value = getattr(properties, name)
        if value is None:
            continue
        flags |= flag
        if kind == _SHORTSTR:
            octets = value.encode("utf-8", "surrogateescape")
            pieces += (bytes((len(octets),)), octets)
        elif kind == _OCTET:
            pieces.append(bytes((value,)))
        elif kind == _TABLE:
            pieces.append(encode_table(value))
        else:
            pieces.append(value.to_bytes(8, "big"))
    pieces[0] = _HEADER_START.pack(CLASS_BASIC, 0, body_size, flags)
    return b"".join(pieces)


def replace_reply_to(header_payload: bytes, reply_to: str) -> bytes:
    """The payload of a header frame with another reply-to. It has to have one, and to be one that can be decoded.

    Raises: ValueError for a string of more than 255 bytes.
    """
    offset = _VALUES_AT
    for name, kind in _present(header_payload[_FLAGS_AT] << 8 | header_payload[_FLAGS_AT + 1]):
        if name == "reply_to":
            break
        if kind == _SHORTSTR:
            offset += 1 + header_payload[offset]
        elif kind == _OCTET:
            offset += 1
        else:
            offset += 4 + int.from_bytes(header_payload[offset : offset + 4], "big")
    octets = reply_to.encode("utf-8", "surrogateescape")
    after = offset + 1 + header_payload[offset]
    return b"".join((header_payload[:offset], bytes((len(octets),)), octets, header_payload[after:]))


# The properties that a program sets are always the same few; 256 covers many programs, and a peer cannot make it grow.
@functools.lru_cache(maxsize=256)
def _present(flags: int) -> tuple[tuple[str, int], ...]:
    """Name and type of the properties whose flag is set."""
    return tuple((name, kind) for flag, name, kind in _LAYOUT if flags & flag)
