"""A client of a broker that may die at any moment. It misses nothing that came before the end."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from leveret_protocol import constants, methods
from leveret_protocol.content import Properties, content_frames, encode_header
from leveret_protocol.fields import table
from leveret_protocol.methods import Basic, Channel, Frame, Queue, decode_method, encode_method, make

Reply = TypeVar("Reply", bound=Frame)

ANSWER_SECONDS = 30.0
RECEIVE_BYTES = 1 << 18
CAPABILITIES = {"publisher_confirms": True, "basic.nack": True, "connection.blocked": True}

_FRAME_START = struct.Struct(">BHI")
_WITH_CONTENT = (Basic.Deliver, Basic.GetOk, Basic.Return)


@dataclass(frozen=True)
class Received:
    """A method on a channel, with the body if it has one."""

    channel: int
    method: Frame
    body: bytes = b""


class Frames:
    """What a client receives, taken apart: whole methods with their contents."""

    def __init__(self) -> None:
        self._data = b""
        self._unfinished: tuple[int, Frame, int, bytes] | None = None  # channel, method, size of the body, what is here

    def feed(self, data: bytes) -> Iterator[Received]:
        data, at = self._data + data, 0
        while len(data) - at >= _FRAME_START.size:
            kind, channel, size = _FRAME_START.unpack_from(data, at)
            end = at + _FRAME_START.size + size
            if len(data) <= end:
                break
            assert data[end] == constants.FRAME_END
            payload = data[at + _FRAME_START.size : end]
            at = end + 1
            if kind == constants.FRAME_METHOD:
                method = decode_method(payload, channel)
                if isinstance(method, _WITH_CONTENT):
                    self._unfinished = (channel, method, -1, b"")
                else:
                    yield Received(channel, method)
                continue
            if kind == constants.FRAME_HEARTBEAT:
                continue
            assert self._unfinished is not None
            channel, method, body_size, body = self._unfinished
            if kind == constants.FRAME_HEADER:
                body_size = int.from_bytes(payload[4:12], "big")
            else:
                body += payload
            self._unfinished = (channel, method, body_size, body)
            if len(body) == body_size:
                yield Received(channel, method, body)
        self._data = data[at:]


def greeting(channels: int, capabilities: dict[str, Any]) -> bytes:
    """All that a client sends until it has the channels 1 to `channels` open. It need not wait for the answers."""
    properties = table({"capabilities": capabilities})
    start_ok = make(
        methods.Connection.StartOk, client_properties=properties, mechanism="PLAIN", response="\0guest\0guest",
        locale="en_US",
    )  # fmt: skip
    tune_ok = make(methods.Connection.TuneOk, channel_max=64, frame_max=constants.FRAME_MAX, heartbeat=0)
    opening = (start_ok, tune_ok, make(methods.Connection.Open, virtual_host="/"))
    return b"".join(
        [
            constants.PROTOCOL_HEADER,
            *[encode_method(0, method) for method in opening],
            *[encode_method(channel, make(Channel.Open)) for channel in range(1, channels + 1)],
        ]
    )


def published(exchange: str, routing_key: str, body: bytes, *, channel: int = 1, **properties: Any) -> bytes:
    """The publish of a persistent message."""
    header = encode_header(_properties({"delivery_mode": 2} | properties), len(body))
    method = make(Basic.Publish, exchange=exchange, routing_key=routing_key)
    return encode_method(channel, method) + content_frames(channel, header, body, constants.FRAME_MAX)


class Peer:
    """A connection with the channels 1 to `channels` open.

    is_gone: the broker is; nothing more comes.
    """

    def __init__(self, port: int, channels: int = 1, *, capabilities: dict[str, Any] = CAPABILITIES) -> None:
        self.is_gone = False
        self._frames = Frames()
        self._received: list[Received] = []
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send_bytes(greeting(channels, capabilities))
        for answer in (methods.Connection.Start, methods.Connection.Tune, methods.Connection.OpenOk):
            self.expect(answer, 0)
        for channel in range(1, channels + 1):
            self.expect(Channel.OpenOk, channel)

    # -- out

    def send_bytes(self, data: bytes) -> None:
        """To a broker that is gone, too: that is noticed where something is read."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def send(self, *sent: Frame, channel: int = 1) -> None:
        self.send_bytes(b"".join(encode_method(channel, method) for method in sent))

    def publish(self, exchange: str, routing_key: str, body: bytes, *, channel: int = 1, **properties: Any) -> None:
        self.send_bytes(published(exchange, routing_key, body, channel=channel, **properties))

    # -- in

    def fileno(self) -> int:
        return self.socket.fileno()

    def receive(self) -> list[Received]:
        """What has come. Waits for more only where nothing has."""
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except ConnectionError:
            data = b""
        self.is_gone = not data
        return list(self._frames.feed(data))

    def next(self) -> Received:
        """The next thing that comes. Raises EOFError when the broker has gone instead."""
        while not self._received:
            if self.is_gone:
                raise EOFError("the broker is gone")
            self._received = self.receive()
        return self._received.pop(0)

    def rest(self) -> list[Received]:
        """All that comes until the broker is gone, or has gone before."""
        received, self._received = self._received, []
        while not self.is_gone:
            received += self.receive()
        return received

    def expect(self, method: type[Reply], channel: int = 1) -> Reply:
        received = self.next()
        assert received.channel == channel, received
        assert isinstance(received.method, method), (received, method)
        return received.method

    def call(self, method: Frame, reply: type[Reply], channel: int = 1) -> Reply:
        """Send a method and wait for its reply, the next thing that comes."""
        self.send(method, channel=channel)
        return self.expect(reply, channel)

    def close(self) -> None:
        self.socket.close()


def has_queue(peer: Peer, name: str) -> bool:
    peer.send(make(Queue.Declare, queue=name, passive=True))
    answer = peer.next().method
    if isinstance(answer, Channel.Close):
        peer.send(make(Channel.CloseOk))
        peer.call(make(Channel.Open), Channel.OpenOk)
    return isinstance(answer, Queue.DeclareOk)


def message_count(peer: Peer, queue: str) -> int:
    return peer.call(make(Queue.Declare, queue=queue, passive=True), Queue.DeclareOk).message_count or 0


def drained(peer: Peer, queue: str) -> list[tuple[int, bool]]:
    """All messages of a queue, in order: (id, redelivered)."""
    messages = []
    for _ in range(message_count(peer, queue)):
        peer.send(make(Basic.Get, queue=queue, no_ack=True))
        received = peer.next()
        assert isinstance(received.method, Basic.GetOk)
        messages.append((int(received.body.split(b";")[0]), bool(received.method.redelivered)))
    assert message_count(peer, queue) == 0
    return messages


def _properties(values: dict[str, Any]) -> Properties:
    properties = Properties()
    for name, value in values.items():
        setattr(properties, name, value)
    return properties
