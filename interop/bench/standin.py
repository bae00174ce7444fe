"""A stand-in for a broker that does no work: the load tool's own ceiling (`python -m interop.bench.standin`).

It shakes hands, answers the few methods of a stream's load, and then turns every publish's worth of octets, uncounted
and unread otherwise, into a delivery of a prepared block for each consumer, and into one confirm a read. So nearly all
the time is the clients' and the kernel's; no broker can make the load tool faster than this. It does not honour
prefetch and ignores acks. It knows the streams through the default exchange and a fanout.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from interop.bench import report, wire
from interop.bench.counting import RECEIVE_SIZE
from interop.bench.kinds import through
from interop.bench.modes import ACKED, DURABLE
from interop.bench.run import Run
from interop.bench.stream import CONSUMER_TAG, Stream

SECONDS = 3.0
STREAMS = {
    "transient-16": Stream(window=20_000),
    "transient-1k": Stream(window=20_000, body_size=1024),
    "acks-16": ACKED,
    "durable": DURABLE,
    "fanout-16": Stream(window=20_000, queues=50, exchange_type="fanout"),
}

TUNE = struct.pack(">HIH", 2047, 131072, 0)
START = b"\x00\x09" + struct.pack(">I", 0) + wire.long("PLAIN") + wire.long("en_US")
PLAIN_ANSWERS = {  # what the load calls, and what it needs to hear
    wire.CONNECTION_OPEN: (wire.CONNECTION_OPEN_OK, wire.short("")),
    wire.EXCHANGE_DECLARE: (wire.EXCHANGE_DECLARE_OK, b""),
    wire.QUEUE_BIND: (wire.QUEUE_BIND_OK, b""),
    wire.QUEUE_DELETE: (wire.QUEUE_DELETE_OK, struct.pack(">I", 0)),
    wire.CHANNEL_OPEN: (wire.CHANNEL_OPEN_OK, wire.long("")),
    wire.BASIC_QOS: (wire.BASIC_QOS_OK, b""),
    wire.CONFIRM_SELECT: (wire.CONFIRM_SELECT_OK, b""),
}


class DeliveryBlock:
    """Deliveries encoded once, one cycle of delivery tags long; what changes from cycle to cycle is written over."""

    def __init__(self, stream: Stream, name: str) -> None:
        cycle = wire.SEQUENCE_CYCLE
        deliveries = [stream.delivery(name, (delivery_tag - 1) % cycle) for delivery_tag in range(cycle)]
        self._size = len(deliveries[0])
        self._tag_offset = wire.METHOD_ARGUMENTS_OFFSET + len(wire.short(CONSUMER_TAG))
        self._block = bytearray().join(deliveries)
        self._delivery_tag = 1

    def take(self, count: int) -> Iterator[memoryview]:
        """The next `count` deliveries, in slices that must be sent before the next one is asked for."""
        while count:
            low = self._delivery_tag % wire.SEQUENCE_CYCLE
            part = min(count, wire.SEQUENCE_CYCLE - low)
            self._write_upper((self._delivery_tag >> 8).to_bytes(7, "big"))
            yield memoryview(self._block)[low * self._size : (low + part) * self._size]
            self._delivery_tag += part
            count -= part

    def _write_upper(self, upper: bytes) -> None:
        """The upper seven octets of all delivery tags in the block."""
        for position, octet in enumerate(upper):
            if self._block[self._tag_offset + position] != octet:  # they are all the same but for the first cycle's 0
                self._block[self._tag_offset + position :: self._size] = bytes([octet]) * wire.SEQUENCE_CYCLE


@dataclass
class StandIn:
    """State that the connections' threads share."""

    stream: Stream
    consumers: list[tuple[socket.socket, DeliveryBlock]] = field(default_factory=list)

    def serve(self, sock: socket.socket) -> None:
        """One connection, from the handshake until it is gone."""
        with sock, contextlib.suppress(ConnectionError, wire.PeerFailed):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.recv(len(wire.PROTOCOL_HEADER), socket.MSG_WAITALL)
            sock.sendall(wire.method_frame(0, wire.CONNECTION_START, START))
            confirms = False
            while ids := _next_method(sock):
                confirms |= ids == wire.CONFIRM_SELECT
                if ids == wire.BASIC_PUBLISH:
                    self._pass_on(sock, confirms)
                elif ids in (wire.BASIC_ACK, wire.CONNECTION_CLOSE):
                    for _ in _reads(sock):
                        pass
                else:
                    self._answer(sock, ids)

    def _answer(self, sock: socket.socket, ids: tuple[int, ...]) -> None:
        """Answer one method of the set-up; tune-ok needs no answer."""
        _, channel_number, payload = wire.read_frame(sock)
        if ids == wire.CONNECTION_START_OK:
            sock.sendall(wire.method_frame(0, wire.CONNECTION_TUNE, TUNE))
        elif ids == wire.QUEUE_DECLARE:
            size = payload[6]
            answer = payload[6 : 7 + size] + struct.pack(">II", 0, 0)
            sock.sendall(wire.method_frame(channel_number, wire.QUEUE_DECLARE_OK, answer))
        elif ids == wire.BASIC_CONSUME:
            self._consume(sock, payload)
        elif ids in PLAIN_ANSWERS:
            sock.sendall(wire.method_frame(channel_number, *PLAIN_ANSWERS[ids]))

    def _consume(self, sock: socket.socket, payload: bytes) -> None:
        queue_size = payload[6]
        queue = payload[7 : 7 + queue_size].decode()
        self.consumers.append((sock, DeliveryBlock(self.stream, queue.rpartition("-")[0])))
        sock.sendall(wire.method_frame(wire.CHANNEL_NUMBER, wire.BASIC_CONSUME_OK, wire.short(CONSUMER_TAG)))

    def _pass_on(self, sock: socket.socket, confirms: bool) -> None:
        """Publishes without end, all of the size of the first one."""
        publish_size = len(self.stream.publish("bench-01234567", 0))
        received = passed_on = 0
        for size in _reads(sock):
            received += size
            count = received // publish_size - passed_on
            passed_on += count
            for consumer, block in self.consumers:
                for deliveries in block.take(count):
                    consumer.sendall(deliveries)
            if count and confirms:
                sock.sendall(wire.ack(passed_on, multiple=True))


def _next_method(sock: socket.socket) -> tuple[int, ...]:
    """Ids of the method that comes next, which is left unread; () at the end of the connection."""
    head = sock.recv(wire.METHOD_ARGUMENTS_OFFSET, socket.MSG_PEEK | socket.MSG_WAITALL)
    return struct.unpack(">HH", head[7:]) if len(head) == wire.METHOD_ARGUMENTS_OFFSET else ()


def _reads(sock: socket.socket) -> Iterator[int]:
    """Sizes of reads, whose octets nobody looks at, until connection.close, which is answered."""
    buffer = bytearray(RECEIVE_SIZE)
    tail = b""
    while size := sock.recv_into(buffer):
        tail = (tail + buffer[max(0, size - len(wire.CLOSE_FRAME)) : size])[-len(wire.CLOSE_FRAME) :]
        yield size
        if tail == wire.CLOSE_FRAME:
            sock.sendall(wire.CLOSE_OK_FRAME)
            return


def serve(ports: Connection, stream: Stream) -> None:
    """Listen on a free port of the loopback, send its number, and serve until killed."""
    stand_in = StandIn(stream)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ports.send(listener.getsockname()[1])
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=stand_in.serve, args=[sock], daemon=True).start()


@contextlib.contextmanager
def running_standin(stream: Stream) -> Iterator[str]:
    """A stand-in for one run with this stream, in a process of its own; yields its URL."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=[theirs, stream], daemon=True)
    process.start()
    try:
        yield f"amqp://guest:guest@127.0.0.1:{ours.recv()}/%2F"
    finally:
        process.kill()
        process.join()


def main() -> int:
    """Command line: the streams it knows, a run each."""
    for name, stream in STREAMS.items():
        with running_standin(stream) as url, Run(url, frozenset(), SECONDS) as run:
            print(report.line(name, "messages/s", through(stream, run)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
