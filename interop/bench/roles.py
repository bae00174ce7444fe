"""The client processes of a load: what each does on its own connections, from its start until the gauges say stop.

A role is a function of (url, name of the run, its parameters, gauges), run in a process of its own, so that a publisher
and a consumer never wait for each other's interpreter. The gauges are the only thing shared; each field has one writer.
"""

from __future__ import annotations

import ctypes
import selectors
import socket
import struct
import tempfile
import time
from collections.abc import Iterator

from interop.bench import machine, wire
from interop.bench.counting import RECEIVE_SIZE, ConfirmCounter, DeliveryCounter, acks_due, percentile
from interop.bench.stream import CONSUMER_TAG, Stream
from interop.bench.wire import Client, PeerFailed

SEND_SIZE = 64 * 1024  # about what one send carries
STOP_CHECK_MICROSECONDS = 100_000  # who waits for a socket looks at the gauges this often
CONFIRMS_IN_A_ROW = 200  # a disk is not the same from one second to the next, so it is measured in turns with them
FDATASYNCS_IN_A_ROW = 50
PACE_SECONDS = 0.0005  # a publisher whose window is full looks again; far less than any broker needs for a window


class Gauges(ctypes.Structure):
    """Numbers in memory shared by the processes of one run."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            "ready",
            "published",
            "confirmed",
            "completed",
            "measuring",
            "stop_publishing",
            "stop_consuming",
            "p50_ns",
            "p99_ns",
            "max_ns",
            "fdatasync_ns",
        )
    ]
    ready: int  # consumer: its queues exist, publishing may begin
    published: int  # publisher: messages sent
    confirmed: int  # publisher: messages confirmed
    completed: int  # whoever sees the end of what is counted (a delivery, an answer, a declaration): how many
    measuring: int  # coordinator: between warm-up and end
    stop_publishing: int  # coordinator
    stop_consuming: int  # coordinator, when all that must come through has come
    p50_ns: int  # whoever takes times: of what began while measuring
    p99_ns: int
    max_ns: int
    fdatasync_ns: int  # what the disk took meanwhile to keep an append: the median

    def take_times(self, times_ns: list[int]) -> None:
        """Keep the percentiles of a role's times."""
        if times_ns:
            self.p50_ns, self.p99_ns = percentile(times_ns, 50), percentile(times_ns, 99)
            self.max_ns = max(times_ns)


def publish(url: str, name: str, stream: Stream, gauges: Gauges) -> None:
    """Publish without confirms, as fast as the socket takes it, while fewer than `window` messages are on their way.

    Without a window a broker that reads faster than it delivers is measured while it piles up a backlog.
    """
    client = Client(url)
    client.sock.settimeout(None)
    size = len(stream.publish(name, 0))
    count = max(1, min(SEND_SIZE // size, (stream.window or SEND_SIZE) // 4))
    block = stream.publishes(name, count)
    published = 0
    while not gauges.stop_publishing:
        if stream.window and published + count - gauges.completed // stream.queues > stream.window:
            time.sleep(PACE_SECONDS)
        else:
            client.sock.sendall(block.run(published, count))
            gauges.published = published = published + count
    client.close()


def publish_confirmed(url: str, name: str, stream: Stream, gauges: Gauges) -> None:
    """Publish with confirms, with at most `window` publishes unconfirmed."""
    assert stream.window
    client = Client(url)
    client.select_confirms()
    block = stream.publishes(name, stream.window)
    counter = ConfirmCounter()
    buffer = bytearray(RECEIVE_SIZE)
    published = 0
    client.sock.settimeout(None)  # Python's own timeout would poll before each call: let the kernel end a wait
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, STOP_CHECK_MICROSECONDS))
    while not gauges.stop_publishing or counter.messages < published:
        room = stream.window - (published - counter.messages)
        if room and not gauges.stop_publishing:
            client.sock.sendall(block.run(published, room))
            gauges.published = published = published + room
        size = _receive(client.sock, buffer)
        counter.feed(bytes(buffer[:size]), published)
        gauges.confirmed = counter.messages
    client.close()


def consume(url: str, name: str, stream: Stream, gauges: Gauges) -> None:
    """Consume each queue on a connection of its own, from the start on. A durable queue is there already."""
    clients = [Client(url) for _ in range(stream.queues)]
    for index, client in enumerate(clients):
        queue = stream.queue(name, index) if stream.is_durable else stream.set_up(client, name, index)
        client.consume(queue, CONSUMER_TAG, stream.prefetch)
    gauges.ready = 1
    _count_deliveries(clients, name, stream, gauges)


def drain(url: str, name: str, stream: Stream, gauges: Gauges) -> None:
    """Consume what is in a durable queue, from when measuring begins."""
    client = Client(url)
    gauges.ready = 1
    while not gauges.measuring:
        time.sleep(PACE_SECONDS)
    client.consume(stream.queue(name), CONSUMER_TAG, stream.prefetch)
    _count_deliveries([client], name, stream, gauges)


def _count_deliveries(clients: list[Client], name: str, stream: Stream, gauges: Gauges) -> None:
    """Count and check what comes; with a prefetch, ack each `ack_every`-th and all before it."""
    counters = {
        client.sock: DeliveryCounter(CONSUMER_TAG, lambda number: stream.delivery(name, number)) for client in clients
    }
    buffer = bytearray(RECEIVE_SIZE)
    for sock in readable(list(counters), gauges):
        size = _receive(sock, buffer)
        before = counters[sock].messages
        counters[sock].feed(buffer, size)
        now = counters[sock].messages
        if stream.ack_every and (due := acks_due(before, now, stream.ack_every)):
            sock.sendall(b"".join([wire.ack(tag, multiple=stream.ack_every > 1) for tag in due]))
        gauges.completed += now - before
    for client in clients:
        client.close()


def publish_and_wait(url: str, name: str, stream: Stream, gauges: Gauges) -> None:
    """Publish one message, wait for its confirm, and so on; takes the times, and those of the disk in between."""
    client = Client(url)
    client.select_confirms()
    block = stream.publishes(name, 1)
    counter = ConfirmCounter()
    buffer = bytearray(RECEIVE_SIZE)
    times_ns: list[int] = []
    fdatasyncs_ns: list[int] = []
    with tempfile.TemporaryFile(buffering=0) as file:  # on the disk that the brokers have
        while not gauges.stop_publishing:
            measuring = gauges.measuring
            if measuring and len(times_ns) % CONFIRMS_IN_A_ROW == 0:
                fdatasyncs_ns += machine.fdatasyncs_ns(file, FDATASYNCS_IN_A_ROW)
            before = time.perf_counter_ns()
            client.sock.sendall(block.run(counter.messages, 1))
            published = counter.messages + 1
            while counter.messages < published:
                size = _receive(client.sock, buffer)
                counter.feed(bytes(buffer[:size]), published)
            if measuring:
                times_ns.append(time.perf_counter_ns() - before)
            gauges.published = gauges.confirmed = published
    gauges.take_times(times_ns)
    if fdatasyncs_ns:
        gauges.fdatasync_ns = percentile(fdatasyncs_ns, 50)
    client.close()


def request(url: str, name: str, stream: Stream, gauges: Gauges) -> None:
    """Send a request with direct reply-to, wait for its reply, and so on; takes the times of the round trips."""
    client = Client(url)
    client.consume("amq.rabbitmq.reply-to", CONSUMER_TAG)
    properties = wire.with_reply_to("amq.rabbitmq.reply-to")
    bodies = [wire.body(number, stream.body_size) for number in range(wire.SEQUENCE_CYCLE)]
    requests = [wire.publish(stream.queue(name), body, "", properties) for body in bodies]
    times_ns: list[int] = []
    published = 0
    client.sock.settimeout(wire.ANSWER_SECONDS)
    while not gauges.stop_publishing:
        measuring = gauges.measuring
        before = time.perf_counter_ns()
        client.sock.sendall(requests[published % wire.SEQUENCE_CYCLE])
        _, reply = wire.read_delivery(client.sock)
        if measuring:
            times_ns.append(time.perf_counter_ns() - before)
        if reply != bodies[published % wire.SEQUENCE_CYCLE]:
            raise PeerFailed(f"reply {published} is not its request's body")
        gauges.published = gauges.completed = published = published + 1
    gauges.take_times(times_ns)
    client.close()


def respond(url: str, name: str, stream: Stream, gauges: Gauges) -> None:
    """Answer each request with its body, where its reply-to says."""
    client = Client(url)
    client.consume(stream.set_up(client, name), CONSUMER_TAG)
    gauges.ready = 1
    for sock in readable([client.sock], gauges):
        reply_to, body = wire.read_delivery(sock)
        sock.sendall(wire.publish(reply_to, body))
    client.close()


def open_and_close(url: str, name: str, parameters: None, gauges: Gauges) -> None:
    """Open a connection and a channel, close it, and so on."""
    while not gauges.stop_publishing:
        Client(url).close()
        gauges.completed += 1


def readable(socks: list[socket.socket], gauges: Gauges) -> Iterator[socket.socket]:
    """Sockets that have something to read, until consuming must stop."""
    with selectors.DefaultSelector() as selector:
        for sock in socks:
            sock.settimeout(None)
            selector.register(sock, selectors.EVENT_READ)
        while not gauges.stop_consuming:
            for key, _ in selector.select(STOP_CHECK_MICROSECONDS / 1e6):
                assert isinstance(key.fileobj, socket.socket)
                yield key.fileobj


def _receive(sock: socket.socket, buffer: bytearray | memoryview) -> int:
    """How many octets came; 0 when it is time to look at the gauges."""
    try:
        size = sock.recv_into(buffer)
    except BlockingIOError:
        return 0
    if not size:
        raise PeerFailed("the broker closed the TCP connection")
    return size
