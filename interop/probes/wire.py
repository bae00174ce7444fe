"""AMQP 0-9-1 bytes for the probes: encoding that refuses nothing, decoding that loses nothing.

Strings of the wire are `bytes` after decoding; where bytes are expected for encoding, `str` is taken as UTF-8. A
decoded field table is a list of (key, tag, value), so that order and duplicates show. To encode one, give a dict of
natural Python values (str S, bytes x, bool t, int I or l, float d, None V, dict F, list A), with (tag, value) to choose
the wire type, a list of (key, value) pairs for duplicates, or `bytes`: the table's body as it is to go out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
FRAME_END = 0xCE
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
BASIC = 60

# Name: class id, method id, arguments ("name:type"; neighbouring bits share an octet). Reserved arguments are named so
# that a probe can set them.
_METHODS = """
connection.start 10 10 version_major:octet version_minor:octet server_properties:table \
mechanisms:longstr locales:longstr
connection.start-ok 10 11 client_properties:table mechanism:shortstr response:longstr locale:shortstr
connection.secure 10 20 challenge:longstr
connection.secure-ok 10 21 response:longstr
connection.tune 10 30 channel_max:short frame_max:long heartbeat:short
connection.tune-ok 10 31 channel_max:short frame_max:long heartbeat:short
connection.open 10 40 virtual_host:shortstr capabilities:shortstr insist:bit
connection.open-ok 10 41 known_hosts:shortstr
connection.close 10 50 reply_code:short reply_text:shortstr class_id:short method_id:short
connection.close-ok 10 51
connection.blocked 10 60 reason:shortstr
connection.unblocked 10 61
connection.update-secret 10 70 new_secret:longstr reason:shortstr
connection.update-secret-ok 10 71
channel.open 20 10 out_of_band:shortstr
channel.open-ok 20 11 channel_id:longstr
channel.flow 20 20 active:bit
channel.flow-ok 20 21 active:bit
channel.close 20 40 reply_code:short reply_text:shortstr class_id:short method_id:short
channel.close-ok 20 41
access.request 30 10 realm:shortstr exclusive:bit passive:bit active:bit write:bit read:bit
access.request-ok 30 11 ticket:short
exchange.declare 40 10 ticket:short exchange:shortstr type:shortstr passive:bit durable:bit auto_delete:bit \
internal:bit nowait:bit arguments:table
exchange.declare-ok 40 11
exchange.delete 40 20 ticket:short exchange:shortstr if_unused:bit nowait:bit
exchange.delete-ok 40 21
exchange.bind 40 30 ticket:short destination:shortstr source:shortstr routing_key:shortstr nowait:bit arguments:table
exchange.bind-ok 40 31
exchange.unbind 40 40 ticket:short destination:shortstr source:shortstr routing_key:shortstr nowait:bit arguments:table
exchange.unbind-ok 40 51
queue.declare 50 10 ticket:short queue:shortstr passive:bit durable:bit exclusive:bit auto_delete:bit nowait:bit \
arguments:table
queue.declare-ok 50 11 queue:shortstr message_count:long consumer_count:long
queue.bind 50 20 ticket:short queue:shortstr exchange:shortstr routing_key:shortstr nowait:bit arguments:table
queue.bind-ok 50 21
queue.purge 50 30 ticket:short queue:shortstr nowait:bit
queue.purge-ok 50 31 message_count:long
queue.delete 50 40 ticket:short queue:shortstr if_unused:bit if_empty:bit nowait:bit
queue.delete-ok 50 41 message_count:long
queue.unbind 50 50 ticket:short queue:shortstr exchange:shortstr routing_key:shortstr arguments:table
queue.unbind-ok 50 51
basic.qos 60 10 prefetch_size:long prefetch_count:short global:bit
basic.qos-ok 60 11
basic.consume 60 20 ticket:short queue:shortstr consumer_tag:shortstr no_local:bit no_ack:bit exclusive:bit nowait:bit \
arguments:table
basic.consume-ok 60 21 consumer_tag:shortstr
basic.cancel 60 30 consumer_tag:shortstr nowait:bit
basic.cancel-ok 60 31 consumer_tag:shortstr
basic.publish 60 40 ticket:short exchange:shortstr routing_key:shortstr mandatory:bit immediate:bit
basic.return 60 50 reply_code:short reply_text:shortstr exchange:shortstr routing_key:shortstr
basic.deliver 60 60 consumer_tag:shortstr delivery_tag:longlong redelivered:bit exchange:shortstr routing_key:shortstr
basic.get 60 70 ticket:short queue:shortstr no_ack:bit
basic.get-ok 60 71 delivery_tag:longlong redelivered:bit exchange:shortstr routing_key:shortstr message_count:long
basic.get-empty 60 72 cluster_id:shortstr
basic.ack 60 80 delivery_tag:longlong multiple:bit
basic.reject 60 90 delivery_tag:longlong requeue:bit
basic.recover-async 60 100 requeue:bit
basic.recover 60 110 requeue:bit
basic.recover-ok 60 111
basic.nack 60 120 delivery_tag:longlong multiple:bit requeue:bit
confirm.select 85 10 nowait:bit
confirm.select-ok 85 11
tx.select 90 10
tx.select-ok 90 11
tx.commit 90 20
tx.commit-ok 90 21
tx.rollback 90 30
tx.rollback-ok 90 31
"""
CONTENT_METHODS = {"basic.publish", "basic.return", "basic.deliver", "basic.get-ok"}

# Properties from the top flag bit down.
PROPERTIES = {
    "content_type": "shortstr",
    "content_encoding": "shortstr",
    "headers": "table",
    "delivery_mode": "octet",
    "priority": "octet",
    "correlation_id": "shortstr",
    "reply_to": "shortstr",
    "expiration": "shortstr",
    "message_id": "shortstr",
    "timestamp": "longlong",
    "type": "shortstr",
    "user_id": "shortstr",
    "app_id": "shortstr",
    "cluster_id": "shortstr",
}

_NUMBERS = {"octet": ">B", "short": ">H", "long": ">I", "longlong": ">Q"}
_FIELD_NUMBERS = dict(
    zip("tbBsuIilLfdT", (">B", ">b", ">B", ">h", ">H", ">i", ">I", ">q", ">q", ">f", ">d", ">Q"), strict=True)
)


@dataclass(frozen=True)
class Layout:
    """One method: its ids and its arguments' names and types in wire order."""

    class_id: int
    method_id: int
    arguments: dict[str, str]


def _layouts() -> dict[str, Layout]:
    layouts = {}
    for line in _METHODS.replace("\\\n", "").split("\n"):
        if line:
            name, class_id, method_id, *arguments = line.split()
            layouts[name] = Layout(int(class_id), int(method_id), dict(argument.split(":") for argument in arguments))
    return layouts


LAYOUTS = _layouts()
_NAMES = {(layout.class_id, layout.method_id): name for name, layout in LAYOUTS.items()}


@dataclass(frozen=True)
class Frame:
    """A frame as it came."""

    kind: int
    channel: int
    payload: bytes


@dataclass(frozen=True)
class Method:
    """A decoded method; `arguments` in wire order."""

    channel: int
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Header:
    """A decoded content header; `properties` in wire order, `rest` what follows them (nothing, from a sane broker)."""

    channel: int
    class_id: int
    weight: int
    body_size: int
    flags: int
    properties: dict[str, Any]
    rest: bytes = field(default=b"")


def frame(kind: int, channel: int, payload: bytes, size: int | None = None, end: int = FRAME_END) -> bytes:
    """A frame's bytes; `size` and `end` to lie about them."""
    return struct.pack(">BHI", kind, channel, len(payload) if size is None else size) + payload + bytes([end])


def method(name: str, channel: int, /, **arguments: Any) -> bytes:
    """A method frame; arguments left out are 0, empty or false."""
    return frame(METHOD, channel, method_payload(name, **arguments))


def method_payload(name: str, /, **arguments: Any) -> bytes:
    """Class id, method id and arguments. Raises: TypeError for an argument the method does not have."""
    layout = LAYOUTS[name]
    if unknown := arguments.keys() - layout.arguments.keys():
        raise TypeError(f"{name} has no {sorted(unknown)}")
    out = bytearray(struct.pack(">HH", layout.class_id, layout.method_id))
    bit = 0
    for argument, kind in layout.arguments.items():
        value = arguments.get(argument)
        if kind == "bit":
            if bit == 0:
                out.append(0)
            out[-1] |= bool(value) << bit
            bit += 1
        else:
            bit = 0
            out += encode(kind, value)
    return bytes(out)


def content(
    channel: int, body: bytes = b"", properties: bytes | dict[str, Any] = b"", frame_max: int = 131072
) -> bytes:
    """Header and body frames. `properties` as bytes are flags and values as they are to go out."""
    sizes = range(0, len(body), frame_max - 8)
    return header(channel, len(body), properties) + b"".join(
        frame(BODY, channel, body[start : start + frame_max - 8]) for start in sizes
    )


def header(
    channel: int, body_size: int, properties: bytes | dict[str, Any] = b"", class_id: int = 60, weight: int = 0
) -> bytes:
    """A content header frame."""
    if isinstance(properties, dict):
        properties = encode_properties(properties)
    payload = struct.pack(">HHQ", class_id, weight, body_size) + (properties or b"\x00\x00")
    return frame(HEADER, channel, payload)


def encode_properties(properties: dict[str, Any], flags: int = 0) -> bytes:
    """Flags word and values; `flags` are set beside those of the properties."""
    values = b""
    for position, (name, kind) in enumerate(PROPERTIES.items()):
        if name in properties:
            flags |= 0x8000 >> position
            values += encode(kind, properties[name])
    return struct.pack(">H", flags) + values


def encode(kind: str, value: Any) -> bytes:
    """A value of an argument's type; None is 0 or empty."""
    if kind in _NUMBERS:
        return struct.pack(_NUMBERS[kind], value or 0)
    if kind == "table":
        body = _table_body(value or {})
        return struct.pack(">I", len(body)) + body
    text = _bytes(value or b"")
    return struct.pack(">B" if kind == "shortstr" else ">I", len(text)) + text


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _table_body(table: Any) -> bytes:
    if isinstance(table, bytes):
        return table
    pairs = table.items() if isinstance(table, dict) else table
    return b"".join(encode("shortstr", key) + encode_field(value) for key, value in pairs)


def encode_field(value: Any) -> bytes:
    """Tag and value. A tuple is (tag, value); what is not one of the natural types must come as one."""
    tag, value = value if isinstance(value, tuple) else (_natural_tag(value), value)
    out = tag.encode()
    if tag in _FIELD_NUMBERS:
        return bytes(out + struct.pack(_FIELD_NUMBERS[tag], value))
    if tag == "V":
        return bytes(out)
    if tag == "D":
        return bytes(out + struct.pack(">BI", *value))
    if tag in "Sx":
        return bytes(out + encode("longstr", value))
    if tag == "F":
        return bytes(out + encode("table", value))
    if tag == "A":
        body = value if isinstance(value, bytes) else b"".join(map(encode_field, value))
        return bytes(out + struct.pack(">I", len(body)) + body)
    return bytes(out + _bytes(value))  # an unknown tag: the bytes as given


def _natural_tag(value: Any) -> str:
    if isinstance(value, bool):
        return "t"
    if isinstance(value, int):
        return "I" if -(2**31) <= value < 2**31 else "l"
    return {str: "S", bytes: "x", float: "d", type(None): "V", dict: "F", list: "A"}[type(value)]


class Reader:
    """Reads values off bytes in order. Raises: ValueError or struct.error where the broker sent nonsense."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > len(self._data) - self._position:
            raise ValueError(f"{size} bytes announced, {len(self._data) - self._position} there")
        self._position += size
        return self._data[self._position - size : self._position]

    def rest(self) -> bytes:
        """Everything not read yet."""
        return self.take(len(self._data) - self._position)

    def number(self, form: str) -> Any:
        """A number in `struct`'s notation."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def value(self, kind: str) -> Any:
        """A value of an argument's type."""
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind == "table":
            return Reader(self.take(self.number(">I"))).table()
        return self.take(self.number(">B" if kind == "shortstr" else ">I"))

    def table(self) -> list[tuple[bytes, str, Any]]:
        """All pairs up to the end of the data."""
        pairs = []
        while self._position < len(self._data):
            key = self.value("shortstr")
            pairs.append((key, *self.field()))
        return pairs

    def field(self) -> tuple[str, Any]:
        """Tag and value."""
        tag = self.take(1).decode("latin-1")
        if tag in _FIELD_NUMBERS:
            return tag, self.number(_FIELD_NUMBERS[tag])
        if tag == "V":
            return tag, None
        if tag == "D":
            return tag, (self.number(">B"), self.number(">I"))
        if tag in "Sx":
            return tag, self.value("longstr")
        if tag == "F":
            return tag, self.value("table")
        if tag == "A":
            items = Reader(self.value("longstr"))
            return tag, items.fields()
        raise ValueError(f"unknown field tag {tag!r}")

    def fields(self) -> list[tuple[str, Any]]:
        """All fields of an array, up to the end of the data."""
        items = []
        while self._position < len(self._data):
            items.append(self.field())
        return items


def decode_method(frame: Frame) -> Method:
    """A method frame's method. Raises: ValueError, struct.error, KeyError"""
    reader = Reader(frame.payload)
    name = _NAMES[reader.number(">H"), reader.number(">H")]
    arguments: dict[str, Any] = {}
    bit = 0
    octet = 0
    for argument, kind in LAYOUTS[name].arguments.items():
        if kind == "bit":
            if bit == 0:
                octet = reader.number(">B")
            arguments[argument] = octet >> bit & 1
            bit += 1
        else:
            bit = 0
            arguments[argument] = reader.value(kind)
    if rest := reader.rest():
        raise ValueError(f"{rest!r} after the arguments of {name}")
    return Method(frame.channel, name, arguments)


def decode_header(frame: Frame) -> Header:
    """A header frame's content header. Raises: ValueError, struct.error"""
    reader = Reader(frame.payload)
    class_id, weight, body_size, flags = (reader.number(form) for form in (">H", ">H", ">Q", ">H"))
    properties = {
        name: reader.value(kind)
        for position, (name, kind) in enumerate(PROPERTIES.items())
        if flags & 0x8000 >> position
    }
    return Header(frame.channel, class_id, weight, body_size, flags, properties, reader.rest())
