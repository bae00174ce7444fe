"""Client processes that take the time from publish to delivery while others publish at a fixed pace.

How this works: a body begins with the nanosecond at which its publish was due, by the clock that all processes of a
machine share. So a publisher that a broker holds up makes its messages late, and does not hide it.
"""

from __future__ import annotations

import ctypes
import struct
import time
from dataclasses import dataclass

from interop.bench import wire
from interop.bench.roles import Gauges, readable
from interop.bench.stream import CONSUMER_TAG, Stream
from interop.bench.wire import Client, PeerFailed

SLACK_OPTION, SLACK_NS = 29, 1  # prctl(PR_SET_TIMERSLACK): by default Linux lets a sleep last 50 us longer
TIME_SIZE = 8
HEARTBEAT_FRAME = wire.frame(8, 0, b"")


@dataclass(frozen=True)
class Pace:
    """Messages a second over all pairs of a publisher and a consumer, each with its own connection and queue."""

    pairs: int
    messages_per_second: float
    body_size: int = 16
    ttl_ms: int = 0  # of the queue, which dead-letters to the one that is consumed

    @property
    def stream(self) -> Stream:
        """For names and encodings."""
        return Stream(body_size=self.body_size)


def publish_at_pace(url: str, name: str, pace: Pace, gauges: Gauges) -> None:
    """Publish to each queue in turn, at even distances."""
    ctypes.CDLL(None).prctl(SLACK_OPTION, SLACK_NS, 0, 0, 0)
    clients = [Client(url) for _ in range(pace.pairs)]
    filler = bytes(pace.body_size - TIME_SIZE)
    empty = [wire.publish(_first_queue(pace, name, index), bytes(TIME_SIZE) + filler) for index in range(pace.pairs)]
    heads = [data[: -1 - pace.body_size] for data in empty]
    tail = filler + bytes([wire.FRAME_END])
    interval_ns = 1e9 / pace.messages_per_second
    start_ns = time.perf_counter_ns()
    published = 0
    while not gauges.stop_publishing:
        due_ns = start_ns + int(published * interval_ns)
        if (early_ns := due_ns - time.perf_counter_ns()) > 0:
            time.sleep(early_ns / 1e9)
        index = published % pace.pairs
        clients[index].sock.sendall(heads[index] + struct.pack(">Q", due_ns) + tail)
        gauges.published = published = published + 1
    for client in clients:
        client.close()


def consume_timed(url: str, name: str, pace: Pace, gauges: Gauges) -> None:
    """Consume each queue on a connection of its own; takes the times from when a publish was due to its delivery."""
    clients = [Client(url) for _ in range(pace.pairs)]
    samples, rests = {}, {}
    for index, client in enumerate(clients):
        queue = pace.stream.queue(name, index)
        client.declare(queue)
        client.consume(queue, CONSUMER_TAG)
        samples[client.sock] = wire.delivery(CONSUMER_TAG, 0, queue, bytes(pace.body_size))
        rests[client.sock] = b""
    gauges.ready = 1
    times_ns: list[int] = []
    prefix_size = wire.METHOD_ARGUMENTS_OFFSET + len(wire.short(CONSUMER_TAG))
    for sock in readable([client.sock for client in clients], gauges):
        data = rests[sock] + sock.recv(wire.FRAME_MAX)
        now_ns = time.perf_counter_ns()
        size = len(samples[sock])
        whole = len(data) // size
        for start in range(0, whole * size, size):
            body_start = start + size - 1 - pace.body_size
            if not data.startswith(samples[sock][:prefix_size], start) or data[start + size - 1] != wire.FRAME_END:
                raise PeerFailed(f"not a delivery: {data[start : start + size]!r}")
            if gauges.measuring:
                times_ns.append(now_ns - int.from_bytes(data[body_start : body_start + TIME_SIZE], "big"))
        rests[sock] = data[whole * size :]
        gauges.completed += whole
    gauges.take_times(times_ns)
    for client in clients:
        client.close()


def consume_expired(url: str, name: str, pace: Pace, gauges: Gauges) -> None:
    """Consume what expires in the first queue; takes how much later than its time each message comes."""
    client = Client(url)
    queue = pace.stream.queue(name)
    dead_letter = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue}
    client.declare(_first_queue(pace, name, 0), arguments={"x-message-ttl": pace.ttl_ms, **dead_letter})
    client.declare(queue)
    client.consume(queue, CONSUMER_TAG)
    gauges.ready = 1
    times_ns: list[int] = []
    for sock in readable([client.sock], gauges):
        bodies = wire.read_bodies(sock)
        now_ns = time.perf_counter_ns()
        if gauges.measuring:
            expired_ns = [int.from_bytes(body[:TIME_SIZE], "big") + pace.ttl_ms * 1_000_000 for body in bodies]
            times_ns += [max(0, now_ns - due_ns) for due_ns in expired_ns]
        gauges.completed += len(bodies)
    gauges.take_times(times_ns)
    client.close()


def hear_heartbeats(url: str, name: str, timeout_seconds: int, gauges: Gauges) -> None:
    """Answer each heartbeat with one; takes how much more than half the timeout passes between two of them."""
    client = Client(url, heartbeat_seconds=timeout_seconds)
    gauges.ready = 1
    times_ns: list[int] = []
    last_ns = 0
    for sock in readable([client.sock], gauges):
        if sock.recv(wire.FRAME_MAX) != HEARTBEAT_FRAME:
            raise PeerFailed("not one heartbeat")
        now_ns = time.perf_counter_ns()
        sock.sendall(HEARTBEAT_FRAME)
        if gauges.measuring and last_ns:
            times_ns.append(max(0, now_ns - last_ns - timeout_seconds * 500_000_000))
        last_ns = now_ns
        gauges.completed += 1
    gauges.take_times(times_ns)
    client.close()


def _first_queue(pace: Pace, name: str, index: int) -> str:
    """Where a publisher publishes to."""
    return f"{name}-expiring" if pace.ttl_ms else pace.stream.queue(name, index)
