"""AMQP methods: the payload of a method frame to a method object, and a method object to a frame.

The table of methods is pamqp's: its classes name the fields in their order (`__slots__`) and the type of each
(`_field`). Only that table is used, and this is the only module that imports pamqp. Its constructors and its encoder
refuse names that RabbitMQ accepts, and its decoder passes over what RabbitMQ refuses, so the bytes are walked here:

| type                                | value in Python                                    |
| ----------------------------------- | -------------------------------------------------- |
| bit                                 | bool                                               |
| octet, short, long, longlong        | int, unsigned, of 8, 16, 32, 64 bits               |
| shortstr, longstr                   | str, `surrogateescape`; short ones must be UTF-8   |
| table                               | `fields.Table`                                     |

Names are never validated. Consecutive bits share an octet, from the lowest bit up (no method has more than eight in a
row); bits without a field are ignored.
"""

import re
import struct
from collections.abc import Iterator
from typing import Any, ClassVar, Final, TypeAlias, TypeVar

from pamqp.base import Frame
from pamqp.commands import INDEX_MAPPING, Basic, Channel, Confirm, Connection, Exchange, Queue, Tx

from leveret_protocol import frame_errors
from leveret_protocol.constants import FRAME_END, FRAME_METHOD
from leveret_protocol.errors import cut_reply_text
from leveret_protocol.publish import Publish
from leveret_protocol.tables import MalformedTable, decode_table, encode_table

MethodLike: TypeAlias = Frame | Publish | type[Frame] | type[Publish]
FrameType = TypeVar("FrameType", bound=Frame)


class Access:
    """access.request (30/10) and its reply: without meaning in 0-9-1, but RabbitMQ answers it (M-7). Not in pamqp."""

    class Request(Frame):
        __slots__: ClassVar[list[str]] = [  # noqa: RUF023 - in the order of the wire
            "realm",
            "exclusive",
            "passive",
            "active",
            "write",
            "read",
        ]
        frame_id: ClassVar[int] = 10
        index: ClassVar[int] = 0x001E000A
        name: ClassVar[str] = "Access.Request"
        synchronous: ClassVar[bool] = True
        valid_responses: ClassVar[list[str]] = ["Access.RequestOk"]

        _realm = "shortstr"
        _exclusive = "bit"
        _passive = "bit"
        _active = "bit"
        _write = "bit"
        _read = "bit"

        realm: str
        exclusive: bool
        passive: bool
        active: bool
        write: bool
        read: bool

    class RequestOk(Frame):
        __slots__: ClassVar[list[str]] = ["ticket"]
        frame_id: ClassVar[int] = 11
        index: ClassVar[int] = 0x001E000B
        name: ClassVar[str] = "Access.RequestOk"
        synchronous: ClassVar[bool] = False

        _ticket = "short"

        ticket: int


METHODS: Final[dict[int, type[Frame]]] = {
    **INDEX_MAPPING,
    Access.Request.index: Access.Request,
    Access.RequestOk.index: Access.RequestOk,
}

# The fields of each method in the order of the wire, with their types.
_LAYOUTS: Final = {
    index: tuple((name, cls.amqp_type(name)) for name in cls.__slots__) for index, cls in METHODS.items()
}

_INTEGERS: Final = {
    "octet": struct.Struct(">B"),
    "short": struct.Struct(">H"),
    "long": struct.Struct(">I"),
    "longlong": struct.Struct(">Q"),
}
_SIZE: Final = struct.Struct(">I")
_FRAME_START: Final = struct.Struct(">BHII")  # type, channel number, payload size, class and method id
_FRAME_END: Final = bytes((FRAME_END,))

_DEFAULTS: Final = {"bit": False, "octet": 0, "short": 0, "long": 0, "longlong": 0, "shortstr": "", "longstr": ""}

# What RabbitMQ takes for UTF-8 (FRM-11): surrogates and four-byte forms beyond U+10FFFF as well, overlong forms not.
_ERLANG_UTF8: Final = re.compile(
    rb"(?:[\x00-\x7f]"
    rb"|[\xc2-\xdf][\x80-\xbf]"
    rb"|(?:\xe0[\xa0-\xbf]|[\xe1-\xef][\x80-\xbf])[\x80-\xbf]"
    rb"|(?:\xf0[\x90-\xbf]|[\xf1-\xf7][\x80-\xbf])[\x80-\xbf]{2})*"
)


class _Malformed(Exception):
    """The arguments do not fit the method's fields."""


class _NotUTF8(Exception):
    """A short string is not UTF-8."""


def make(cls: type[FrameType], **fields: Any) -> FrameType:
    """A method with these fields, the others 0, "", False or {}. Nothing is validated.

    Raises: TypeError for a field the method does not have.
    """
    method = cls.__new__(cls)
    for name, kind in _LAYOUTS[cls.index]:
        setattr(method, name, fields.pop(name) if name in fields else _DEFAULTS.get(kind, {}))
    if fields:
        raise TypeError(f"{method_name(cls)} has no {', '.join(fields)}")
    return method


def decode_method(payload: bytes, channel_number: int = 1) -> Frame:
    """The method in the payload of a method frame.

    Args:
        channel_number: RabbitMQ words some errors differently on channel 0.

    Raises: AMQPError
        FRAME_ERROR (501)      malformed arguments or bytes left over, with the method's ids (FRM-9, FRM-10);
                               0/0 shorter than the ids (FRM-4);
                               0/0 a short string is not UTF-8, except in basic.publish (FRM-11)
        INTERNAL_ERROR (541)   0/0 malformed arguments on channel 0 (FRM-9)
        COMMAND_INVALID (503)  no such method, with the frame's ids (FRM-8)
    """
    cls = method_class(payload)
    method = cls.__new__(cls)
    try:
        for name, value in _decoded_fields(payload, _LAYOUTS[cls.index], cls is not Basic.Publish):
            setattr(method, name, value)
    except (_Malformed, MalformedTable, IndexError, struct.error):
        raise frame_errors.malformed_arguments(payload, channel_number) from None
    except _NotUTF8:
        raise frame_errors.not_utf8(payload, channel_number) from None
    return method


def method_class(payload: bytes) -> type[Frame]:
    """The class of the method in the payload; its arguments are not looked at.

    Raises: AMQPError FRAME_ERROR (501, FRM-4), COMMAND_INVALID (503, FRM-8).
    """
    if len(payload) < 4:
        raise frame_errors.short_method(payload)
    index = int.from_bytes(payload[:4], "big")
    cls = METHODS.get(index)
    if cls is None:
        raise frame_errors.unknown_method(index >> 16, index & 0xFFFF)
    return cls


def encode_method(channel_number: int, method: Frame) -> bytes:
    """The whole method frame, from its type to the frame end.

    Reply texts are cut to what a short string holds; channel.open-ok's reserved field goes out empty, as RabbitMQ sends
    it (CH-5).

    Raises: ValueError for another short string of more than 255 bytes, struct.error for a number out of range.
    """
    pieces: list[bytes] = []
    bits: list[bool] = []
    for name, kind in _LAYOUTS[method.index]:
        value = getattr(method, name)
        if kind == "bit":
            bits.append(value)
            continue
        if bits:
            pieces.append(_packed(bits))
            bits = []
        if name == "reply_text":
            value = cut_reply_text(value)
        elif isinstance(method, Channel.OpenOk):
            value = ""
        pieces.append(_encoded(kind, value))
    if bits:
        pieces.append(_packed(bits))
    arguments = b"".join(pieces)
    start = _FRAME_START.pack(FRAME_METHOD, channel_number, 4 + len(arguments), method.index)
    return start + arguments + _FRAME_END


def method_ids(method: MethodLike) -> tuple[int, int]:
    """(class id, method id), e.g. (50, 10)."""
    return method.index >> 16, method.index & 0xFFFF


def method_name(method: MethodLike) -> str:
    """As the specification spells it: "queue.declare", "queue.declare-ok", "basic.recover-async"."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "-", method.name).lower()


def _decoded_fields(
    payload: bytes, layout: tuple[tuple[str, str], ...], checks_utf8: bool
) -> Iterator[tuple[str, Any]]:
    """The fields from offset 4 on, which must end where the payload ends."""
    offset, end = 4, len(payload)
    bit = 0  # the next bit of the octet before `offset`; 0: none begun
    not_utf8 = False
    for name, kind in layout:
        value: Any
        if kind == "bit":
            if bit == 0:
                offset += 1
            value = payload[offset - 1] >> bit & 1 == 1
            bit += 1
            yield name, value
            continue
        bit = 0
        if kind == "table":
            value, offset = decode_table(payload, offset, end)
        elif kind in _INTEGERS:
            layout_of_kind = _INTEGERS[kind]
            value = layout_of_kind.unpack_from(payload, offset)[0]
            offset += layout_of_kind.size
        else:
            start = offset + (1 if kind == "shortstr" else 4)
            size = payload[offset] if kind == "shortstr" else _SIZE.unpack_from(payload, offset)[0]
            offset = start + size
            octets = payload[start:offset]
            if kind == "shortstr" and checks_utf8 and not _ERLANG_UTF8.fullmatch(octets):
                not_utf8 = True
            value = octets.decode("utf-8", "surrogateescape")
        yield name, value
    # Erlang matches the lengths of all fields before it looks into a string, so a bad length is found first. A string
    # that ran past the end shows here, too: its slice was shorter, the offset is not.
    if offset != end:
        raise _Malformed
    if not_utf8:
        raise _NotUTF8


def _encoded(kind: str, value: Any) -> bytes:
    if kind == "table":
        return encode_table(value)
    if kind in _INTEGERS:
        return _INTEGERS[kind].pack(value)
    octets: bytes = value.encode("utf-8", "surrogateescape")
    if kind == "longstr":
        return _SIZE.pack(len(octets)) + octets
    if len(octets) > 255:
        raise ValueError(f"a short string takes at most 255 bytes, not {len(octets)}")
    return bytes((len(octets),)) + octets


def _packed(bits: list[bool]) -> bytes:
    """The octet that consecutive bits share."""
    return bytes((sum(1 << place for place, bit in enumerate(bits) if bit),))


__all__ = [
    "METHODS",
    "Access",
    "Basic",
    "Channel",
    "Confirm",
    "Connection",
    "Exchange",
    "Frame",
    "MethodLike",
    "Queue",
    "Tx",
    "decode_method",
    "encode_method",
    "make",
    "method_class",
    "method_ids",
    "method_name",
]
