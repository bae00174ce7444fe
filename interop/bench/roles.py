"""The client processes of a load: what each does on its own connection, from its start until the gauges say stop.

A role is a function of (url, queue, mode, gauges), run in a process of its own, so that a publisher and a consumer
never wait for each other's interpreter. The gauges are the only thing shared; each field has one writer.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from interop.bench.counting import RECEIVE_SIZE, ConfirmCounter, DeliveryCounter, acks_due, percentile
from interop.bench.wire import Client, PeerFailed, PublishBlock, ack

CONSUMER_TAG = "bench"
SEND_SIZE = 64 * 1024  # about what one send carries
STOP_CHECK_SECONDS = 0.1  # a blocked receive looks at the gauges this often
PACE_SECONDS = 0.0005  # a publisher whose window is full looks again; far less than any broker needs for a window


class Gauges(ctypes.Structure):
    """Numbers in memory shared by the processes of one load."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            "ready",
            "published",
            "completed",
            "measuring",
            "stop_publishing",
            "stop_consuming",
            "p50_ns",
            "p99_ns",
        )
    ]
    ready: int  # consumer: its queue exists, publishing may begin
    published: int  # publisher: messages sent
    completed: int  # whoever sees the end of a message's way (delivered, confirmed, answered): how many
    measuring: int  # coordinator: between warm-up and end
    stop_publishing: int  # coordinator
    stop_consuming: int  # coordinator, when all that was published has come through
    p50_ns: int  # requester: round trips begun while measuring
    p99_ns: int


@dataclass(frozen=True)
class Mode:
    """What is measured, and by which processes."""

    name: str
    title: str
    publisher: Role
    consumer: Role | None
    window: int  # messages outstanding (published and not completed) at most
    body_size: int = 16
    prefetch: int = 0  # 0: no acks
    ack_every: int = 0


Role = Callable[[str, str, Mode, Gauges], None]


def publish(url: str, queue: str, mode: Mode, gauges: Gauges) -> None:
    """Publish without confirms, as fast as the socket takes it, while fewer than `window` messages are outstanding.

    Without a window a broker that reads faster than it delivers would be measured while it piles up a backlog.
    """
    client = Client(url)
    client.sock.settimeout(None)
    size = PublishBlock(queue, mode.body_size, 1).publish_size
    count = max(1, min(SEND_SIZE // size, mode.window))
    block = PublishBlock(queue, mode.body_size, count)
    published = 0
    while not gauges.stop_publishing:
        if published + count - gauges.completed > mode.window:
            time.sleep(PACE_SECONDS)
            continue
        client.sock.sendall(block.run(published, count))
        published += count
        gauges.published = published
    client.close()


def consume(url: str, queue: str, mode: Mode, gauges: Gauges) -> None:
    """Count and check deliveries; with a prefetch, ack each `ack_every`-th and all before it."""
    client = _consumer(url, queue, mode)
    counter = DeliveryCounter(CONSUMER_TAG, queue, mode.body_size)
    buffer = bytearray(RECEIVE_SIZE)
    gauges.ready = 1
    while not gauges.stop_consuming:
        size = _receive(client.sock, buffer)
        before = counter.messages
        counter.feed(buffer, size)
        gauges.completed = counter.messages
        if mode.ack_every and (due := acks_due(before, counter.messages, mode.ack_every)):
            client.sock.sendall(b"".join([ack(delivery_tag, multiple=True) for delivery_tag in due]))
    client.close()


def publish_confirmed(url: str, queue: str, mode: Mode, gauges: Gauges) -> None:
    """Publish to a queue that nobody consumes, with at most `window` publishes unconfirmed."""
    client = Client(url)
    client.declare(queue)
    client.select_confirms()
    _stop_checks(client.sock)
    block = PublishBlock(queue, mode.body_size, mode.window)
    counter = ConfirmCounter()
    buffer = bytearray(RECEIVE_SIZE)
    published = 0
    while not gauges.stop_publishing or counter.messages < published:
        room = mode.window - (published - counter.messages)
        if room and not gauges.stop_publishing:
            client.sock.sendall(block.run(published, room))
            published += room
            gauges.published = published
        size = _receive(client.sock, buffer)
        counter.feed(bytes(buffer[:size]), published)
        gauges.completed = counter.messages
    client.close()


def request(url: str, queue: str, mode: Mode, gauges: Gauges) -> None:
    """Send a request, wait for its reply, and so on: one in flight. The time is of the round trip, in nanoseconds."""
    replies = f"{queue}-replies"
    client = _consumer(url, replies, mode)
    block = PublishBlock(queue, mode.body_size, 1)
    counter = DeliveryCounter(CONSUMER_TAG, replies, mode.body_size)
    buffer = bytearray(counter.delivery_size)
    times_ns: list[int] = []
    published = 0
    while not gauges.stop_publishing:
        measuring = gauges.measuring
        before = time.perf_counter_ns()
        client.sock.sendall(block.run(published, 1))
        gauges.published = published = published + 1
        if not _receive_all(client.sock, buffer, gauges):
            return
        if measuring:
            times_ns.append(time.perf_counter_ns() - before)
        counter.feed(buffer, len(buffer))
        gauges.completed = counter.messages
    gauges.p50_ns, gauges.p99_ns = percentile(times_ns, 50), percentile(times_ns, 99)
    client.close()


def respond(url: str, queue: str, mode: Mode, gauges: Gauges) -> None:
    """Answer each request with a reply."""
    client = _consumer(url, queue, mode)
    block = PublishBlock(f"{queue}-replies", mode.body_size, 1)
    counter = DeliveryCounter(CONSUMER_TAG, queue, mode.body_size)
    buffer = bytearray(counter.delivery_size)
    gauges.ready = 1
    while _receive_all(client.sock, buffer, gauges):
        client.sock.sendall(block.run(counter.messages, 1))
        counter.feed(buffer, len(buffer))  # after the answer: checking is not part of the round trip
    client.close()


def _consumer(url: str, queue: str, mode: Mode) -> Client:
    """A client that consumes from a queue of its own."""
    client = Client(url)
    client.declare(queue)
    client.consume(queue, CONSUMER_TAG, mode.prefetch)
    _stop_checks(client.sock)
    return client


def _stop_checks(sock: socket.socket) -> None:
    """Let the kernel end a receive after STOP_CHECK_SECONDS; Python's own timeout would poll before each receive."""
    sock.settimeout(None)
    microseconds = int(STOP_CHECK_SECONDS * 1_000_000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, microseconds))


def _receive(sock: socket.socket, buffer: bytearray | memoryview) -> int:
    """How many octets came; 0 when it is time to look at the gauges."""
    try:
        size = sock.recv_into(buffer)
    except BlockingIOError:
        return 0
    if not size:
        raise PeerFailed("the broker closed the TCP connection")
    return size


def _receive_all(sock: socket.socket, buffer: bytearray, gauges: Gauges) -> bool:
    """Fill the buffer; False when the load stops first."""
    missing = memoryview(buffer)
    while missing:
        missing = missing[_receive(sock, missing) :]
        if missing and gauges.stop_consuming:
            return False
    return True
