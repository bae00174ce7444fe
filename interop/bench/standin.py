"""A stand-in for a broker that does no work: the load tool's own ceiling (`python -m interop.bench.standin`).

It shakes hands, answers the load's few methods, and then turns every publish's worth of octets, uncounted and unread
otherwise, into a delivery of a prepared block, or into one confirm a read. So nearly all the time is the clients' and
the kernel's; no broker can make the load tool faster than this. It does not honour prefetch and ignores acks.
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

from interop.bench import load, wire
from interop.bench.counting import RECEIVE_SIZE

BODY_SIZE = 16
TUNE = struct.pack(">HIH", 2047, 131072, 0)
START = b"\x00\x09" + struct.pack(">I", 0) + wire.long("PLAIN") + wire.long("en_US")
PLAIN_ANSWERS = {  # what the load calls, and what it needs to hear
    wire.CONNECTION_OPEN: (wire.CONNECTION_OPEN_OK, wire.short("")),
    wire.CHANNEL_OPEN: (wire.CHANNEL_OPEN_OK, wire.long("")),
    wire.BASIC_QOS: (wire.BASIC_QOS_OK, b""),
    wire.CONFIRM_SELECT: (wire.CONFIRM_SELECT_OK, b""),
}


class DeliveryBlock:
    """Deliveries encoded once, one cycle of delivery tags long; what changes from cycle to cycle is written over."""

    def __init__(self, consumer_tag: str, routing_key: str, body_size: int) -> None:
        cycle = wire.SEQUENCE_CYCLE
        deliveries = [
            wire.delivery(consumer_tag, number, routing_key, wire.body(number - 1, body_size))
            for number in range(cycle)
        ]
        self._size = len(deliveries[0])
        self._tag_offset = wire.METHOD_ARGUMENTS_OFFSET + len(wire.short(consumer_tag))
        self._block = bytearray().join(deliveries)
        self._upper = bytes(7)
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
        for position, (old, new) in enumerate(zip(self._upper, upper, strict=True)):
            if old != new:
                self._block[self._tag_offset + position :: self._size] = bytes([new]) * wire.SEQUENCE_CYCLE
        self._upper = upper


@dataclass
class Consumer:
    """Where the publishes to one queue go."""

    sock: socket.socket
    block: DeliveryBlock


@dataclass
class StandIn:
    """State that the connections' threads share."""

    consumers: dict[str, Consumer] = field(default_factory=dict)  # by queue

    def serve(self, sock: socket.socket) -> None:
        """One connection, from the handshake until it is gone."""
        with sock, contextlib.suppress(ConnectionError, wire.PeerFailed):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.recv(len(wire.PROTOCOL_HEADER), socket.MSG_WAITALL)
            sock.sendall(wire.method_frame(0, wire.CONNECTION_START, START))
            while ids := _next_method(sock):
                if ids == wire.BASIC_PUBLISH:
                    self._stream(sock)
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
        tag = payload[7 + queue_size :]
        consumer_tag = tag[1 : 1 + tag[0]].decode()
        sock.sendall(wire.method_frame(wire.CHANNEL_NUMBER, wire.BASIC_CONSUME_OK, wire.short(consumer_tag)))
        self.consumers[queue] = Consumer(sock, DeliveryBlock(consumer_tag, queue, BODY_SIZE))

    def _stream(self, sock: socket.socket) -> None:
        """Publishes without end, all of the size of the first one."""
        head = sock.recv(64, socket.MSG_PEEK)
        key_size = head[wire.METHOD_ARGUMENTS_OFFSET + 3]
        queue = head[wire.METHOD_ARGUMENTS_OFFSET + 4 :][:key_size].decode()
        consumer = self.consumers.get(queue)
        publish_size = len(wire.publish(queue, wire.body(0, BODY_SIZE)))
        received = passed_on = 0
        for size in _reads(sock):
            received += size
            count = received // publish_size - passed_on
            passed_on += count
            if consumer:
                for deliveries in consumer.block.take(count):
                    consumer.sock.sendall(deliveries)
            elif count:
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


def serve(ports: Connection) -> None:
    """Listen on a free port of the loopback, send its number, and serve until killed."""
    stand_in = StandIn()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ports.send(listener.getsockname()[1])
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=stand_in.serve, args=[sock], daemon=True).start()


@contextlib.contextmanager
def running_standin() -> Iterator[str]:
    """A stand-in in a process of its own; yields its URL."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=[theirs], daemon=True)
    process.start()
    try:
        yield f"amqp://guest:guest@127.0.0.1:{ours.recv()}/%2F"
    finally:
        process.kill()
        process.join()


def main(arguments: list[str] | None = None) -> int:
    """Command line: all modes of the load, or those given to --mode."""
    with running_standin() as url:
        return load.main([url, *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    sys.exit(main())
