"""One connection of a probe: sends what it is told, records everything that comes back."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from interop.probes import wire
from interop.probes.transcript import Renderer, about

REPLY_SECONDS = (
    2.5  # how long a frame that should come is waited for: less than the 3 s RabbitMQ waits before it drops TCP
)
HURRY_SECONDS = 0.3  # after the first frame that did not come: the rest of the probe is lost anyway
HANG_UP_SECONDS = 1.0  # after close-ok RabbitMQ closes TCP at once

CLIENT_PROPERTIES = {
    "capabilities": {
        "publisher_confirms": True,
        "exchange_exchange_bindings": True,
        "basic.nack": True,
        "consumer_cancel_notify": True,
        "connection.blocked": True,
        "authentication_failure_close": True,
    }
}


@dataclass
class Unit:
    """A method with its content, or a frame that stands alone; `lines` as they go into the transcript."""

    channel: int = 0
    method: wire.Method | None = None
    header: wire.Header | None = None
    body: bytes = b""
    lines: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The method's name, or `""`."""
        return self.method.name if self.method else ""

    @property
    def properties(self) -> dict[str, Any]:
        """Properties of the content. Raises: BrokerSilent where there is none."""
        if self.header is None:
            raise BrokerSilent
        return self.header.properties

    def __getitem__(self, argument: str) -> Any:
        """An argument of the method. Raises: BrokerSilent for what is no method."""
        if self.method is None:
            raise BrokerSilent
        return self.method.arguments[argument]


class Closed(Exception):
    """TCP was closed by the broker."""


class BrokerSilent(Exception):
    """The probe cannot go on because an answer it needs did not come; the transcript says so already."""


class Peer:
    """A connection. Everything sent and received is recorded, but for what happens inside `quiet()`."""

    def __init__(self, address: tuple[str, int], record: Callable[[str], None], render: Renderer) -> None:
        self._record = record
        self._render = render
        self._is_quiet = False
        self._socket = socket.create_connection(address, timeout=REPLY_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._input = b""
        self._contents: dict[int, Unit] = {}
        self._sent_at = time.monotonic()
        self._reply_seconds = REPLY_SECONDS
        self._channels: set[int] = set()
        self.handshake_done = False
        self.is_closed = False
        self.was_told_to_close = False

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Record nothing in the block."""
        before, self._is_quiet = self._is_quiet, True
        try:
            yield
        finally:
            self._is_quiet = before

    def note(self, line: str) -> None:
        """A line of the probe's own, also in the quiet."""
        self._record(f"* {line}")

    # Sending

    def send(self, name: str, channel: int = 1, /, **arguments: Any) -> None:
        """Send a method; arguments left out are 0, empty or false."""
        self._send(name, channel, arguments, set(arguments))

    def _send(self, name: str, channel: int, arguments: dict[str, Any], shown: set[str]) -> None:
        data = wire.method(name, channel, **arguments)
        decoded = wire.decode_method(wire.Frame(wire.METHOD, channel, data[7:-1]))
        self._sent(self._render.method(decoded, shown))
        self.transmit(data)

    def send_publish(
        self,
        exchange: str | bytes = "",
        routing_key: str | bytes = "",
        body: bytes = b"",
        channel: int = 1,
        properties: dict[str, Any] | bytes = b"",
        **flags: bool,
    ) -> None:
        """Send basic.publish with its content."""
        method = wire.method("basic.publish", channel, exchange=exchange, routing_key=routing_key, **flags)
        decoded = wire.decode_method(wire.Frame(wire.METHOD, channel, method[7:-1]))
        header = wire.header(channel, len(body), properties)
        shown = {"exchange", "routing_key"} & {name for name, value in decoded.arguments.items() if value} | set(flags)
        self._sent(self._render.method(decoded, shown))
        if isinstance(properties, bytes) and properties:
            self._sent(f"{channel} header size={len(body)} raw={self._render.raw(properties)}")
        else:
            self._sent(self._render.header(wire.decode_header(wire.Frame(wire.HEADER, channel, header[7:-1]))))
        if body:
            self._sent(self._render.body(channel, body))
        self.transmit(method + wire.content(channel, body, properties))

    def send_bytes(self, data: bytes, what: str) -> None:
        """Send bytes as they are; `what` says in the transcript what they are."""
        self._sent(f"bytes {self._render.raw(data)} ({what})")
        self.transmit(data)

    def transmit(self, data: bytes) -> None:
        """Send without recording. What the broker no longer wants is lost, as with any client."""
        self._sent_at = time.monotonic()
        with contextlib.suppress(OSError):
            self._socket.sendall(data)

    def _sent(self, line: str) -> None:
        if not self._is_quiet:
            self._record(f"> {line}")

    # Receiving

    def read(self, count: int = 1, *, in_any_order: bool = False) -> list[Unit]:
        """Read and record `count` methods (with their content). Ends early with `nothing` or `closed`.

        in_any_order: the broker is free to order them; they are recorded sorted.
        """
        units: list[Unit] = []
        lines: list[list[str]] = []
        while len(units) < count:
            unit = self._receive(self._reply_seconds)
            if unit is None:
                lines.append(self._nothing())
                break
            lines.append(unit.lines)
            units.append(unit)
            if self.is_closed:
                break
        if in_any_order:
            lines.sort()
        self._received(line for unit_lines in lines for line in unit_lines)
        return units

    def read_one(self) -> Unit:
        """Read and record one method. Raises: BrokerSilent if none came"""
        units = self.read()
        if not units or self.is_closed:
            raise BrokerSilent
        return units[0]

    def call(self, name: str, channel: int = 1, /, **arguments: Any) -> Unit:
        """Send a method and read up to its reply on that channel, or up to a close. Raises: BrokerSilent"""
        self.send(name, channel, **arguments)
        return self._read_reply(name, channel)

    def sync(self, channel: int = 1) -> None:
        """Record whatever comes before the answer to an unrecorded round trip on the channel (opened if need be)."""
        if channel not in self._channels:
            self.transmit(wire.method("channel.open", channel))
            self._read_reply("channel.open", channel, shown=False)
        self.transmit(wire.method("exchange.declare", channel, exchange="amq.direct", passive=True))
        self._read_reply("exchange.declare", channel, shown=False)

    def _read_reply(self, name: str, channel: int, *, shown: bool = True) -> Unit:
        replies = {f"{name}-ok", "channel.close"} | ({"basic.get-empty"} if name == "basic.get" else set())
        while True:
            unit = self._receive(self._reply_seconds)
            if unit is None:
                self._received(self._nothing())
                raise BrokerSilent
            is_reply = unit.channel == channel and unit.name in replies
            if shown or not is_reply or unit.name == "channel.close":
                self._received(unit.lines)
            if self.is_closed:
                raise BrokerSilent
            if is_reply or unit.name == "connection.close":
                return unit

    def read_until_closed(self, seconds: float = HANG_UP_SECONDS) -> None:
        """Record everything up to the end of TCP, or `still open` after so many seconds."""
        self._read_until(lambda: self.is_closed, seconds)

    def read_until_refused(self, seconds: float) -> None:
        """Record everything up to connection.close or the end of TCP: a broker may say why, or just drop TCP."""
        self._read_until(lambda: self.is_closed or self.was_told_to_close, seconds)

    def _read_until(self, is_over: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not is_over():
            unit = self._receive(deadline - time.monotonic())
            self._received(["still open"] if unit is None else unit.lines)
            if unit is None:
                break

    def listen(self, seconds: float) -> None:
        """Record whatever comes within so many seconds: where RabbitMQ is silent and no round trip is possible."""
        deadline = time.monotonic() + seconds
        while not self.is_closed and (unit := self._receive(deadline - time.monotonic())) is not None:
            self._received(unit.lines)

    def _nothing(self) -> list[str]:
        self._reply_seconds = HURRY_SECONDS
        return ["nothing"]

    def _received(self, lines: Any) -> None:
        if not self._is_quiet:
            for line in lines:
                self._record(f"< {line}")

    def _receive(self, seconds: float) -> Unit | None:
        """The next complete unit; one with the line `closed` at the end of TCP; None when the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                frame = self._receive_frame(deadline)
            except TimeoutError:
                return None
            except Closed:
                self.is_closed = True
                return Unit(lines=[about(time.monotonic() - self._sent_at)])
            unit = self._add(frame)
            if unit is not None:
                self._follow(unit)
                return unit

    def _receive_frame(self, deadline: float) -> wire.Frame:
        self._fill(7, deadline)
        if self._input.startswith(b"AMQP"):  # the refusal of a protocol header is no frame
            self._fill(8, deadline)
            answer, self._input = self._input[:8], self._input[8:]
            return wire.Frame(ord("A"), 0, answer)
        kind, channel, size = struct.unpack(">BHI", self._input[:7])
        self._fill(size + 8, deadline)
        payload, end, self._input = self._input[7 : size + 7], self._input[size + 7], self._input[size + 8 :]
        return wire.Frame(kind if end == wire.FRAME_END else end, channel, payload)

    def _fill(self, size: int, deadline: float) -> None:
        while len(self._input) < size:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self._socket.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                raise Closed
            self._input += data

    def _add(self, frame: wire.Frame) -> Unit | None:
        """Add a frame to the content of its channel, or make a unit of it. None: the content is not complete yet."""
        pending = self._contents.get(frame.channel)
        unit = pending or Unit(channel=frame.channel)
        if frame.kind == wire.METHOD and pending is None:
            unit.method = wire.decode_method(frame)
            unit.lines.append(self._render.method(unit.method))
            if unit.method.name in wire.CONTENT_METHODS:
                self._contents[frame.channel] = unit
                return None
            return unit
        if frame.kind == wire.HEADER and pending and pending.header is None:
            unit.header = wire.decode_header(frame)
            unit.lines.append(self._render.header(unit.header))
        elif frame.kind == wire.BODY and pending and pending.header:
            unit.body += frame.payload
            unit.lines.append(self._render.body(frame.channel, frame.payload))
        else:
            return self._lone(frame)
        if unit.header is None or len(unit.body) < unit.header.body_size:
            return None
        return self._contents.pop(frame.channel)

    def _lone(self, frame: wire.Frame) -> Unit:
        if frame.kind == ord("A"):
            return Unit(lines=[f"bytes {self._render.raw(frame.payload)}"])
        if frame.kind == wire.HEARTBEAT and not frame.payload:
            return Unit(channel=frame.channel, lines=[f"{frame.channel} heartbeat"])
        return Unit(lines=[f"{frame.channel} stray frame of type {frame.kind}: {self._render.raw(frame.payload)}"])

    def _follow(self, unit: Unit) -> None:
        if unit.name == "channel.open-ok":
            self._channels.add(unit.channel)
        elif unit.name in ("channel.close", "channel.close-ok"):
            self._channels.discard(unit.channel)
        elif unit.name == "connection.close":
            self.was_told_to_close = True
            self._reply_seconds = HURRY_SECONDS
        elif unit.name == "connection.close-ok":
            self.handshake_done = False

    # Steps of the handshake

    def start_ok(self, **arguments: Any) -> None:
        """Log in as the guest; the transcript shows what is given."""
        fields = {
            "client_properties": CLIENT_PROPERTIES,
            "mechanism": "PLAIN",
            "response": "\0guest\0guest",
            "locale": "en_US",
        }
        self._send("connection.start-ok", 0, fields | arguments, set(arguments))

    def tune_ok(self, channel_max: int = 2047, frame_max: int = 131072, heartbeat: int = 0) -> None:
        """Accept the broker's limits, and no heartbeats."""
        self.send("connection.tune-ok", 0, channel_max=channel_max, frame_max=frame_max, heartbeat=heartbeat)

    def header_to_tune(self, **start_ok: Any) -> None:
        """Protocol header up to connection.tune, unrecorded. Raises: BrokerSilent"""
        with self.quiet():
            self.send_bytes(wire.PROTOCOL_HEADER, "")
            self.read_one()
            self.start_ok(**start_ok)
            self.read_one()

    def log_in(self, virtual_host: str = "/", *, start_ok: dict[str, Any] | None = None, **tune_ok: int) -> None:
        """The whole handshake and channel 1, unrecorded. Raises: BrokerSilent"""
        self.header_to_tune(**start_ok or {})
        with self.quiet():
            self.tune_ok(**tune_ok)
            self.call("connection.open", 0, virtual_host=virtual_host)
            self.handshake_done = True
            self.call("channel.open")

    # The end

    def hang_up(self) -> None:
        """Close TCP without a word."""
        self.is_closed = True
        self._socket.close()

    def shut_down_sending(self) -> None:
        """Close our half of TCP: the broker sees the end of the stream, but can still send."""
        self._record("> FIN")
        self._sent_at = time.monotonic()
        self._socket.shutdown(socket.SHUT_WR)

    def finish(self) -> None:
        """End in good order, recording what should not have come; then close TCP."""
        with contextlib.suppress(BrokerSilent):
            if not self.is_closed and self.was_told_to_close:
                self.transmit(wire.method("connection.close-ok", 0))
                self.read_until_closed()
            elif not self.is_closed and self.handshake_done:
                self.transmit(wire.method("connection.close", 0, reply_code=200, reply_text="OK"))
                self._read_reply("connection.close", 0, shown=False)
        self.hang_up()
