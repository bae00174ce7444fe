"""Bytes of a benchmark client: frames encoded in advance, and one blocking connection with one channel.

It knows the few methods that the load needs and no more. What it does while measuring is sending slices of a block that
was encoded before and counting what comes back, so that the client stays cheap next to any broker.
"""

from __future__ import annotations

import socket
import struct
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD, HEADER, BODY = 1, 2, 3
FRAME_END = 0xCE
FRAME_OVERHEAD = 8
METHOD_ARGUMENTS_OFFSET = 7 + 4
CHANNEL_NUMBER = 1
FRAME_MAX = 131072  # RabbitMQ's default; a larger body is several frames
SEQUENCE_CYCLE = 256  # the last octet of a body counts publishes modulo this

CONNECTION_START, CONNECTION_START_OK = (10, 10), (10, 11)
CONNECTION_TUNE, CONNECTION_TUNE_OK = (10, 30), (10, 31)
CONNECTION_OPEN, CONNECTION_OPEN_OK = (10, 40), (10, 41)
CONNECTION_CLOSE, CONNECTION_CLOSE_OK, CHANNEL_CLOSE = (10, 50), (10, 51), (20, 40)
CHANNEL_OPEN, CHANNEL_OPEN_OK = (20, 10), (20, 11)
EXCHANGE_DECLARE, EXCHANGE_DECLARE_OK = (40, 10), (40, 11)
QUEUE_DECLARE, QUEUE_DECLARE_OK = (50, 10), (50, 11)
QUEUE_BIND, QUEUE_BIND_OK = (50, 20), (50, 21)
QUEUE_DELETE, QUEUE_DELETE_OK = (50, 40), (50, 41)
BASIC_QOS, BASIC_QOS_OK = (60, 10), (60, 11)
BASIC_CONSUME, BASIC_CONSUME_OK = (60, 20), (60, 21)
BASIC_PUBLISH, BASIC_DELIVER, BASIC_ACK = (60, 40), (60, 60), (60, 80)
CONFIRM_SELECT, CONFIRM_SELECT_OK = (85, 10), (85, 11)

# Bits of queue.declare and exchange.declare.
PASSIVE, DURABLE = 0x01, 0x02
NO_WAIT = 0x10
EXCLUSIVE = 0x04  # gone with its connection: an aborted run leaves nothing behind
AUTO_DELETE = 0x04  # of an exchange: gone with its last binding
CONSUME_NO_ACK = 0x02
ANSWER_SECONDS = 20


class PeerFailed(Exception):
    """The broker closed the connection or channel, or sent what the load does not expect; the text says what."""


def frame(frame_type: int, channel_number: int, payload: bytes) -> bytes:
    """One whole frame."""
    return struct.pack(">BHI", frame_type, channel_number, len(payload)) + payload + bytes([FRAME_END])


def method_frame(channel_number: int, ids: tuple[int, int], arguments: bytes) -> bytes:
    """A method frame from (class id, method id) and its encoded arguments."""
    return frame(METHOD, channel_number, struct.pack(">HH", *ids) + arguments)


def short(text: str) -> bytes:
    """A short string."""
    encoded = text.encode()
    return bytes([len(encoded)]) + encoded


def long(text: str) -> bytes:
    """A long string."""
    encoded = text.encode()
    return struct.pack(">I", len(encoded)) + encoded


# Encoded properties: the flags, then what they name (here delivery-mode 2).
TRANSIENT = b"\x00\x00"
PERSISTENT = b"\x10\x00\x02"


def with_headers(headers: Mapping[str, str]) -> bytes:
    """Properties of a transient message: headers of strings."""
    return b"\x20\x00" + table(headers)


def with_reply_to(reply_to: str) -> bytes:
    """Properties of a transient message: reply-to."""
    return b"\x02\x00" + short(reply_to)


def with_expiration(milliseconds: int) -> bytes:
    """Properties of a transient message: expiration."""
    return b"\x01\x00" + short(str(milliseconds))


def table(fields: Mapping[str, str | int]) -> bytes:
    """A field table of long strings and signed 32-bit numbers."""
    encoded = b"".join(
        short(name) + (b"I" + struct.pack(">i", value) if isinstance(value, int) else b"S" + long(value))
        for name, value in fields.items()
    )
    return struct.pack(">I", len(encoded)) + encoded


def content(body: bytes, properties: bytes = TRANSIENT) -> bytes:
    """Content header, and body frames of at most FRAME_MAX."""
    header = struct.pack(">HHQ", 60, 0, len(body)) + properties
    size_max = FRAME_MAX - FRAME_OVERHEAD
    bodies = [frame(BODY, CHANNEL_NUMBER, body[start : start + size_max]) for start in range(0, len(body), size_max)]
    return frame(HEADER, CHANNEL_NUMBER, header) + b"".join(bodies)


def body(sequence_number: int, size: int) -> bytes:
    """The body of the n-th publish (counted from 0): filler, and the number modulo SEQUENCE_CYCLE as its last octet."""
    filler = b"leveret-" * (size // 8 + 1)
    return filler[: size - 1] + bytes([sequence_number % SEQUENCE_CYCLE])


def publish(routing_key: str, body_bytes: bytes, exchange: str = "", properties: bytes = TRANSIENT) -> bytes:
    """basic.publish with its content."""
    arguments = struct.pack(">H", 0) + short(exchange) + short(routing_key) + b"\x00"
    return method_frame(CHANNEL_NUMBER, BASIC_PUBLISH, arguments) + content(body_bytes, properties)


def delivery(
    consumer_tag: str,
    delivery_tag: int,
    routing_key: str,
    body_bytes: bytes,
    exchange: str = "",
    properties: bytes = TRANSIENT,
) -> bytes:
    """basic.deliver with its content, as a broker sends it."""
    arguments = short(consumer_tag) + struct.pack(">QB", delivery_tag, 0) + short(exchange) + short(routing_key)
    return method_frame(CHANNEL_NUMBER, BASIC_DELIVER, arguments) + content(body_bytes, properties)


def ack(delivery_tag: int, *, multiple: bool) -> bytes:
    """basic.ack; the same bytes serve a consumer's ack and a broker's confirm."""
    return method_frame(CHANNEL_NUMBER, BASIC_ACK, struct.pack(">QB", delivery_tag, multiple))


CLOSE_FRAME = method_frame(0, CONNECTION_CLOSE, struct.pack(">HBHH", 200, 0, 0, 0))
CLOSE_OK_FRAME = method_frame(0, CONNECTION_CLOSE_OK, b"")


class PublishBlock:
    """Publishes of equal size, encoded once and sent round and round; any run of up to `count_max` is a slice.

    The bodies number themselves modulo SEQUENCE_CYCLE, so there must be a multiple of that many.
    """

    def __init__(self, publishes: Sequence[bytes], count_max: int) -> None:
        self.publish_size = len(publishes[0])
        self._cycle = len(publishes)
        once = b"".join(publishes)
        beyond = count_max * self.publish_size  # a run may begin at the cycle's last one
        self._block = memoryview(once + (once * (beyond // len(once) + 1))[:beyond])

    def run(self, first: int, count: int) -> memoryview:
        """Publishes number `first` to `first + count - 1`, counted from 0."""
        start = first % self._cycle * self.publish_size
        return self._block[start : start + count * self.publish_size]


@dataclass(frozen=True)
class Address:
    """Where a broker listens, and as whom to enter."""

    host: str
    port: int
    user: str
    password: str
    virtual_host: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """From an amqp:// URL. A missing or empty path is the virtual host `/`, as most client libraries read it."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "amqp":
            raise ValueError(f"not an amqp:// URL: {url}")
        unquote = urllib.parse.unquote
        return cls(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 5672,
            user=unquote(parts.username or "guest"),
            password=unquote(parts.password or "guest"),
            virtual_host=unquote(parts.path[1:]) or "/",
        )


def read_frame(sock: socket.socket) -> tuple[int, int, bytes]:
    """(frame type, channel number, payload) of the next frame, taking not a byte more from the socket."""
    frame_type, channel_number, size = struct.unpack(">BHI", _read_exactly(sock, 7))
    payload = _read_exactly(sock, size + 1)
    if payload[-1] != FRAME_END:
        raise PeerFailed(f"a frame of type {frame_type} and {size} octets ends in {payload[-1]:#x}")
    return frame_type, channel_number, payload[:-1]


def read_delivery(sock: socket.socket) -> tuple[str, bytes]:
    """(reply-to, body) of the one delivery that is under way, with as few reads as it can be."""
    ((header, body),) = _read_deliveries(sock)
    return header[15 : 15 + header[14]].decode() if header[12:14] == b"\x02\x00" else "", body


def read_bodies(sock: socket.socket) -> list[bytes]:
    """Bodies of the deliveries that are under way, at least one."""
    return [body for _, body in _read_deliveries(sock)]


def _read_deliveries(sock: socket.socket) -> list[tuple[bytes, bytes]]:
    """(content header, body) of deliveries whose bodies are one frame each; reads until the last one is whole."""
    data = b""
    while True:
        more = sock.recv(FRAME_MAX)
        if not more:
            raise PeerFailed("the broker closed the TCP connection")
        data += more
        payloads = _payloads(data)
        if payloads and len(payloads) % 3 == 0:
            return list(zip(payloads[1::3], payloads[2::3], strict=True))


def _payloads(data: bytes) -> list[bytes]:
    """Payloads of the frames of deliveries; none if the last frame is not whole. Raises: PeerFailed"""
    payloads: list[bytes] = []
    position = 0
    while position < len(data):
        if position + FRAME_OVERHEAD > len(data):
            return []
        frame_type, _, size = struct.unpack_from(">BHI", data, position)
        payloads.append(data[position + 7 : position + 7 + size])
        position += size + FRAME_OVERHEAD
        if position > len(data):
            return []
        is_method = len(payloads) % 3 == 1
        if is_method and (frame_type, payloads[-1][:4]) != (METHOD, struct.pack(">HH", *BASIC_DELIVER)):
            raise PeerFailed(f"expected a delivery, got {describe(frame_type, payloads[-1])}")
    return payloads


def _read_exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise PeerFailed("the broker closed the TCP connection")
        data += more
    return data


def expect_method(sock: socket.socket, ids: tuple[int, int]) -> bytes:
    """Arguments of the next frame, which must be this method. Raises: PeerFailed, with the reply text of a close"""
    frame_type, _, payload = read_frame(sock)
    if frame_type == METHOD and payload[:4] == struct.pack(">HH", *ids):
        return payload[4:]
    raise PeerFailed(f"expected method {ids}, got {describe(frame_type, payload)}")


def describe(frame_type: int, payload: bytes) -> str:
    """A frame in words, for error texts."""
    if frame_type != METHOD:
        return f"a frame of type {frame_type}"
    ids = struct.unpack(">HH", payload[:4])
    if ids in (CONNECTION_CLOSE, CHANNEL_CLOSE):
        reply_code, text_size = struct.unpack(">HB", payload[4:7])
        return f"a close: {reply_code} {payload[7 : 7 + text_size].decode(errors='replace')}"
    return f"method {ids}"


class Client:
    """One connection with one channel, opened; heartbeats are off, so nothing comes that was not asked for.

    With `heartbeat_seconds` the broker sends heartbeats; this client never sends one by itself.
    """

    def __init__(self, url: str, heartbeat_seconds: int = 0) -> None:
        address = Address.parse(url)
        self.sock = socket.create_connection((address.host, address.port), timeout=ANSWER_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server_properties = self._shake_hands(address, heartbeat_seconds)
        self.call(CHANNEL_OPEN, short(""), CHANNEL_OPEN_OK)

    def _shake_hands(self, address: Address, heartbeat_seconds: int) -> bytes:
        """Returns the server properties, undecoded."""
        self.sock.sendall(PROTOCOL_HEADER)
        start = expect_method(self.sock, CONNECTION_START)
        table_size = int.from_bytes(start[2:6], "big")
        no_properties = struct.pack(">I", 0)
        login = long(f"\0{address.user}\0{address.password}")
        self.sock.sendall(method_frame(0, CONNECTION_START_OK, no_properties + short("PLAIN") + login + short("en_US")))
        channel_max, *_ = struct.unpack(">HIH", expect_method(self.sock, CONNECTION_TUNE))
        tuned = struct.pack(">HIH", channel_max, FRAME_MAX, heartbeat_seconds)
        self.sock.sendall(method_frame(0, CONNECTION_TUNE_OK, tuned))
        self.sock.sendall(method_frame(0, CONNECTION_OPEN, short(address.virtual_host) + short("") + b"\x00"))
        expect_method(self.sock, CONNECTION_OPEN_OK)
        return start[6 : 6 + table_size]

    def call(self, ids: tuple[int, int], arguments: bytes, answer_ids: tuple[int, int]) -> bytes:
        """Send a method on the channel and return the arguments of its answer."""
        self.sock.sendall(method_frame(CHANNEL_NUMBER, ids, arguments))
        return expect_method(self.sock, answer_ids)

    def declare(self, queue: str, flags: int = EXCLUSIVE, arguments: Mapping[str, str | int] | None = None) -> int:
        """Declare a queue and return how many messages are in it. Others can publish to an exclusive one."""
        declared = struct.pack(">H", 0) + short(queue) + bytes([flags]) + table(arguments or {})
        answer = self.call(QUEUE_DECLARE, declared, QUEUE_DECLARE_OK)
        return int.from_bytes(answer[-8:-4], "big")

    def declare_many(self, queues: Sequence[str]) -> None:
        """Declare exclusive queues without waiting for each."""
        for queue in queues[:-1]:
            declared = struct.pack(">H", 0) + short(queue) + bytes([EXCLUSIVE | NO_WAIT]) + table({})
            self.sock.sendall(method_frame(CHANNEL_NUMBER, QUEUE_DECLARE, declared))
        self.declare(queues[-1])

    def delete(self, queue: str) -> None:
        """Delete a queue, and what is in it."""
        self.call(QUEUE_DELETE, struct.pack(">H", 0) + short(queue) + b"\x00", QUEUE_DELETE_OK)

    def declare_exchange(self, exchange: str, exchange_type: str) -> None:
        """A transient exchange that goes with its last binding."""
        arguments = struct.pack(">H", 0) + short(exchange) + short(exchange_type) + bytes([AUTO_DELETE]) + table({})
        self.call(EXCHANGE_DECLARE, arguments, EXCHANGE_DECLARE_OK)

    def bind(self, queue: str, exchange: str, binding_key: str, arguments: Mapping[str, str]) -> None:
        """Bind a queue."""
        names = short(queue) + short(exchange) + short(binding_key)
        self.call(QUEUE_BIND, struct.pack(">H", 0) + names + b"\x00" + table(arguments), QUEUE_BIND_OK)

    def consume(self, queue: str, consumer_tag: str, prefetch: int = 0) -> None:
        """Start a consumer: with acks when `prefetch` is given, else without. Nothing after consume-ok is read."""
        if prefetch:
            self.call(BASIC_QOS, struct.pack(">IHB", 0, prefetch, 0), BASIC_QOS_OK)
        flags = bytes([0 if prefetch else CONSUME_NO_ACK])
        arguments = struct.pack(">H", 0) + short(queue) + short(consumer_tag) + flags + struct.pack(">I", 0)
        self.call(BASIC_CONSUME, arguments, BASIC_CONSUME_OK)

    def select_confirms(self) -> None:
        """Confirm mode."""
        self.call(CONFIRM_SELECT, b"\x00", CONFIRM_SELECT_OK)

    def server_property(self, name: str) -> str:
        """A top-level long string of the server properties, found without decoding the table; "" if there is none."""
        _before, found, after = self.server_properties.partition(short(name) + b"S")
        if not found:
            return ""
        return after[4 : 4 + int.from_bytes(after[:4], "big")].decode(errors="replace")

    def close(self) -> None:
        """Leave politely: a dropped connection would cost the broker log lines inside the next measurement."""
        with self.sock:
            self.sock.sendall(CLOSE_FRAME)
            self.sock.settimeout(ANSWER_SECONDS)
            tail = b""
            while not tail.endswith(CLOSE_OK_FRAME):  # before it comes what was under way; RabbitMQ leaves TCP to us
                data = self.sock.recv(65536)
                if not data:
                    return
                tail = (tail + data)[-len(CLOSE_OK_FRAME) :]
