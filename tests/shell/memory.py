"""The shell's neighbours in memory: a transport whose peer is the test, a listener, a connection told what to do."""

import math
import os
from collections import deque

import trio

from leveret.core.counts import Traffic
from leveret.core.timers import Timers


class MemoryTransport:
    """The broker's end of a stream. The test is the peer and the kernel, which takes `capacity` bytes unread."""

    def __init__(self, number=1, capacity=math.inf):
        self.peer = f"127.0.0.1:{50000 + number}"
        self.local = "127.0.0.1:5672"
        self.capacity = capacity
        self.sends = []  # what each try_send took
        self.read_sizes = []  # what each receive_some asked for
        self.is_reset = self.has_ended_sending = False
        self._unread = 0
        self._incoming = deque()
        self._has_ended = False
        self._receive_error = self._send_error = None
        self._changed = trio.Event()

    # the peer

    def peer_sends(self, *pieces):
        """Each piece is a read of its own."""
        self._incoming.extend(pieces)
        self._change()

    def peer_ends(self):
        self._has_ended = True
        self._change()

    def peer_takes(self, size=None):
        """Read `size` of the bytes sent, all where None; makes room in the kernel."""
        self._unread = 0 if size is None else self._unread - size
        self._change()

    def breaks(self, errno, for_sending=False):
        error = OSError(errno, os.strerror(errno))
        if for_sending:
            self._send_error = error
        else:
            self._receive_error = error
        self._change()

    @property
    def sent(self):
        return b"".join(self.sends)

    # the broker

    def fileno(self):
        return -1

    async def start(self):
        """It is a TCP transport."""

    async def receive_some(self, size):
        self.read_sizes.append(size)
        await trio.lowlevel.checkpoint()
        while not (self._incoming or self._has_ended or self._receive_error):
            await self._change_or_reset()
        self._check_not_reset()
        if self._receive_error:
            raise self._receive_error
        return self._incoming.popleft() if self._incoming else b""

    def try_send(self, data):
        if self._send_error:
            raise self._send_error
        taken = data[: max(0, min(len(data), self.capacity - self._unread))]
        self._unread += len(taken)
        if taken:
            self.sends.append(bytes(taken))
        return len(taken)

    def try_send_pieces(self, pieces):
        return self.try_send(b"".join(pieces))

    async def wait_writable(self):
        await trio.lowlevel.checkpoint()
        while self._unread >= self.capacity and not self._send_error:
            await self._change_or_reset()
        self._check_not_reset()

    def end_sending(self):
        self.has_ended_sending = True

    def close(self):
        self.reset()

    def reset(self):
        self.is_reset = True
        self._change()

    async def _change_or_reset(self):
        self._check_not_reset()
        await self._changed.wait()

    def _check_not_reset(self):
        if self.is_reset:
            raise trio.ClosedResourceError

    def _change(self):
        self._changed.set()
        self._changed = trio.Event()


class MemoryListener:
    """Hands out transports, and raises errors, as the test puts them in."""

    def __init__(self):
        self.is_closed = False
        self.accepted_at = []
        self._arrived = deque()
        self._arrival = trio.Event()

    def arrive(self, transport_or_error):
        self._arrived.append(transport_or_error)
        self._arrival.set()

    def fileno(self):
        return -1

    async def accept(self):
        await trio.lowlevel.checkpoint()
        while not self._arrived:
            self._arrival = trio.Event()
            await self._arrival.wait()
        self.accepted_at.append(trio.current_time())
        item = self._arrived.popleft()
        if isinstance(item, OSError):
            raise item
        return item

    def close(self):
        self.is_closed = True


class ToldConnection:
    """A handlers' connection without handlers: records its calls; `on_receive(connection, data)` is the test's."""

    def __init__(self, peer, local, wake):
        self.peer = peer
        self.output = []
        self.handshake_done = True
        self.traffic = Traffic()
        self.tls = None
        self.heartbeat_seconds = 0
        self.drop_after_seconds = None
        self.publishes_into_backlog = False
        self.publishes_to_disk = False
        self.bytes_wanted = 0
        self.is_blocked = False
        self.is_held = False
        self.is_paused = False
        self.has_put_off = False
        self.wake = wake
        self.calls = []
        self.received = []
        self.on_receive = lambda connection, data: None

    def __str__(self):
        return f"<{self.peer}>"

    def send(self, data):
        if not self.output:
            self.wake(self)
        self.output.append(data)

    def go_on(self):
        """It puts nothing off."""

    def receive(self, data):
        self.received.append(data)
        self.on_receive(self, data)

    def tell_confirms(self):
        """It has none."""

    def force_close(self, reason):
        self.calls.append(("force_close", reason))
        self.send(b"close 320;")
        self.drop_after_seconds = 30

    def fail(self):
        self.calls.append("fail")
        self.send(b"close 541;")
        self.drop_after_seconds = 30

    def lost(self):
        self.calls.append("lost")

    def pause_deliveries(self):
        self.calls.append("pause")

    def resume_deliveries(self):
        self.calls.append("resume")


class SlicedWork:
    """Work in as many slices as the test adds."""

    def __init__(self):
        self.on_work = lambda: None
        self.timers = Timers(lambda: 0.0)
        self._slices = deque()

    def add(self, *slices):
        self._slices.extend(slices)
        self.on_work()

    def has_work(self):
        return bool(self._slices)

    def run_slice(self):
        self._slices.popleft()()
