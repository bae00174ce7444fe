"""One AMQP connection on its transport: reading, sending, and all the ways it can end.

What goes over the wire is decided by the handlers' connection, which this module only drives. A connection is one task
that reads; a second one exists only while the kernel takes less than there is to send.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import trio

from leveret.core.counts import Traffic
from leveret.core.timers import Timer
from leveret.handlers.tls_session import TLSSession
from leveret.shell.heartbeat import Heartbeats
from leveret.shell.transport import Transport
from leveret.storage.base import StoreError
from leveret_protocol.constants import HEARTBEAT_FRAME

if TYPE_CHECKING:
    from leveret.shell.server import Server

log = logging.getLogger(__name__)

# RabbitMQ's `handshake_timeout`: from accept to the end of connection.open (CON-3).
HANDSHAKE_SECONDS = 10.0

# RabbitMQ's `ssl_handshake_timeout`.
TLS_HANDSHAKE_SECONDS = 5.0

# What is carried out in one turn; RabbitMQ reads with a buffer of 128 KiB. Publishes into a backlog come in smaller
# turns, of fewer small messages than a consumer with the usual prefetch takes in one: so it keeps up with a flood, and
# the backlog does not grow (measured; with 16 KiB it did, and consumers got a quarter less).
READ_BYTES = 32 * 1024
READ_INTO_BACKLOG_BYTES = 10 * 1024
LARGE_BYTES = 32 * 1024  # the last piece of an output of at least this size: the pieces are not joined
PIECES_MAX = 64
# Of what a connection wants: the rest of a large frame or body, which is no work yet (turns of 256 KiB took a quarter
# more CPU time), or some publishes that are not small.
READ_BYTES_MAX = 1024 * 1024

# A peer that sends requests and does not take the answers is not read from while more than this waits for it. A kernel
# holds a few megabytes more; nginx and others stop at one megabyte or less.
UNSENT_LIMIT_BYTES = 1024 * 1024

# How long a connection that is dropped at once may still take to send what it holds: RabbitMQ's pause before it resets
# a connection after an error (FRM-1).
LAST_WORDS_SECONDS = 3.0


class DrivenConnection(Protocol):
    """What the shell needs of the handlers' connection.

    str() names it in the log.
    output: frames to be sent. Whoever appends to an empty list has called `wake` first; the shell empties it.
    handshake_done: connection.open is through.
    traffic: what came and went is counted here.
    tls: set before the first `receive`, where there is TLS.
    heartbeat_seconds: 0 until tune-ok, then what was negotiated.
    drop_after_seconds: None, or in how many seconds TCP is to be reset; 0 is as soon as the output is sent.
    bytes_wanted: this many should be read at once.
    publishes_into_backlog: read in smaller turns. publishes_to_disk: not to be read from while the disk is behind.
    is_blocked: not to be read from. `wake` is called when that ends; then `go_on` is called.
    has_put_off: `go_on` is to be called before anything more is read, once there is room for the output.
    is_paused: `resume_deliveries` is to be called once all output has been taken.
    is_held: not to be read from, and `output` is not to be sent yet. `wake` is called when that ends.
    """

    output: list[bytes]
    handshake_done: bool
    traffic: Traffic
    tls: TLSSession | None
    heartbeat_seconds: int
    drop_after_seconds: float | None
    publishes_into_backlog: bool
    publishes_to_disk: bool
    is_paused: bool

    @property
    def bytes_wanted(self) -> int: ...

    @property
    def is_blocked(self) -> bool: ...

    @property
    def has_put_off(self) -> bool: ...

    @property
    def is_held(self) -> bool: ...

    def receive(self, data: bytes) -> None:
        """Carry out all that `data` asks for."""

    def go_on(self) -> None:
        """It was blocked, and is not any more, or has put something off: carry that out."""

    def tell_confirms(self) -> None:
        """Put out what publishers are to be told of; the turn is over."""

    def force_close(self, reason: str) -> None:
        """Tell the peer CONNECTION_FORCED (320) and the reason."""

    def fail(self) -> None:
        """A defect of ours struck: tell the peer INTERNAL_ERROR (541) where it can still be told anything."""

    def lost(self) -> None:
        """There is no transport any more."""

    def pause_deliveries(self) -> None:
        """The peer is not taking what was sent."""

    def resume_deliveries(self) -> None:
        """It has taken all of it."""


def _failure(error: OSError) -> str:
    """What the system says of TCP; a text without a number is not the system's."""
    return str(error) if error.errno is None else f"TCP failed: {error.strerror or error}"


Wake = Callable[[DrivenConnection], None]
MakeConnection = Callable[[str, str, Wake], DrivenConnection]


class ConnectionDriver:
    """Drives one connection from accept to its end.

    `server` is told of connections to flush and of the end; it has the timers, and the nursery for the second task.
    """

    __slots__ = (
        "_deadline",
        "_drop_seconds",
        "_has_ended",
        "_has_failed",
        "_has_room",
        "_heartbeats",
        "_is_behind",
        "_is_sending_unsent",
        "_server",
        "_transport",
        "_unsent",
        "_unsent_bytes",
        "connection",
    )

    def __init__(self, transport: Transport, make_connection: MakeConnection, server: "Server") -> None:
        self._transport = transport
        self._server = server
        self._unsent: deque[bytes | memoryview] = deque()
        self._unsent_bytes = 0
        self._is_sending_unsent = False
        self._has_room: trio.Event | None = None  # set once: reading has stopped until less is unsent
        self._has_ended = False
        self._has_failed = False
        self._is_behind = False  # the disk is, with what it sends
        self._drop_seconds: float | None = None
        self._heartbeats = Heartbeats(server.timers, self._send_heartbeat, self._give_up)
        self.connection = make_connection(transport.peer, transport.local, self._wake)
        self._deadline: Timer | None = None

    # -- reading

    async def run(self) -> None:
        """Read and carry out until the connection ends."""
        try:
            await self._start()
            while not self._has_ended:
                if self._is_held_up or self.connection.has_put_off:
                    await self._wait_for_room()
                    if self._has_ended:
                        break
                    self._carry_out(self.connection.go_on)
                else:
                    size = READ_INTO_BACKLOG_BYTES if self.connection.publishes_into_backlog else READ_BYTES
                    if self.connection.bytes_wanted > size:
                        size = min(self.connection.bytes_wanted, READ_BYTES_MAX)
                    data = await self._transport.receive_some(size)
                    if not data:
                        self._peer_is_gone("the peer ended TCP without connection.close")
                        break
                    self._heartbeats.has_received = True
                    self.connection.traffic.received_bytes += len(data)
                    self.connection.traffic.received_count += 1
                    self._carry_out(self.connection.receive, data)
                    if self.connection.publishes_to_disk:
                        self._is_behind = self._server.is_behind(self, len(data))
                self._server.flush()
                self._look_at_drop()
        except OSError as error:
            self._peer_is_gone(_failure(error))
        except trio.ClosedResourceError:
            pass  # ended elsewhere
        finally:
            self.end("the broker was stopped")
            self._server.flush()

    async def _start(self) -> None:
        """RabbitMQ: the time for the AMQP handshake begins when TLS is there, which has a time of its own."""
        seconds = self._server.tls_handshake_seconds
        with trio.move_on_after(seconds) as scope:
            try:
                self.connection.tls = await self._transport.start()
            except OSError as error:
                if error.errno is not None:  # TCP's
                    raise
                self.end(str(error), logging.WARNING)
        if scope.cancelled_caught:
            self.end(f"the TLS handshake took more than {seconds:g} s", logging.WARNING)
        elif not self._has_ended:
            self._set_deadline(self._server.handshake_seconds, self._handshake_is_late)

    def _carry_out(self, call: Callable[..., None], *args: object) -> None:
        connection = self.connection
        self._guard(call, *args)
        if connection.heartbeat_seconds:
            self._heartbeats.start(connection.heartbeat_seconds)
        if connection.handshake_done and self._deadline is not None and self._drop_seconds is None:
            self._deadline.cancel()
            self._deadline = None

    @property
    def _is_held_up(self) -> bool:
        connection = self.connection
        is_full = self._unsent_bytes > UNSENT_LIMIT_BYTES
        return is_full or self._is_behind or connection.is_blocked or connection.is_held

    async def _wait_for_room(self) -> None:
        if not self._is_held_up:
            await trio.lowlevel.checkpoint()
            return
        self._heartbeats.is_deaf = True
        self._has_room = trio.Event()
        await self._has_room.wait()
        self._has_room = None
        self._heartbeats.is_deaf = False

    # -- sending

    def _wake(self, connection: DrivenConnection) -> None:
        self._server.needs_flush(self)

    def flush(self) -> None:
        """Send what the connection has put out, as far as the kernel takes it."""
        self.connection.tell_confirms()
        self.look_at_room()
        output = self.connection.output
        if not output or self.connection.is_held:
            return
        pieces = tuple(output) if len(output) <= PIECES_MAX and len(output[-1]) >= LARGE_BYTES else (b"".join(output),)
        output.clear()
        if not self._has_ended:
            self._heartbeats.has_sent = True
            self._send(pieces)
            self._look_at_drop()

    def _send(self, pieces: tuple[bytes, ...]) -> None:
        taken = 0
        if not self._unsent:
            try:
                transport = self._transport
                taken = transport.try_send(pieces[0]) if len(pieces) == 1 else transport.try_send_pieces(pieces)
            except OSError as error:
                self._peer_is_gone(_failure(error))
                return
            self._count_sent(taken)
        for piece in pieces:
            if taken < len(piece):
                self._unsent.append(memoryview(piece)[taken:])
                self._unsent_bytes += len(piece) - taken
            taken = max(taken - len(piece), 0)
        self.connection.traffic.unsent_bytes = self._unsent_bytes
        if (self._unsent or self.connection.is_paused) and not self._is_sending_unsent:
            self._is_sending_unsent = True
            self._guard(self.connection.pause_deliveries)
            self._server.start_soon(self._send_unsent)

    async def _send_unsent(self) -> None:
        """The second task: lives until the kernel has taken everything, or the connection has ended.

        If it has all been taken before this begins, this is a turn of its own for what is to be put out next.
        """
        try:
            while self._unsent:
                await self._transport.wait_writable()
                self._send_what_fits()
        except OSError as error:
            self._peer_is_gone(_failure(error))
        except trio.ClosedResourceError:
            pass  # ended elsewhere
        self._is_sending_unsent = False
        if not self._has_ended:
            self._guard(self.connection.resume_deliveries)
            self._end_if_due()
        self._server.flush()

    def _send_what_fits(self) -> None:
        while self._unsent:
            data = self._unsent.popleft()
            taken = self._transport.try_send(data)
            self._count_sent(taken)
            self._unsent_bytes -= taken
            if taken < len(data):
                self._unsent.appendleft(memoryview(data)[taken:])
                break
        self.connection.traffic.unsent_bytes = self._unsent_bytes
        self.look_at_room()

    def _count_sent(self, size: int) -> None:
        traffic = self.connection.traffic
        traffic.sent_bytes += size
        traffic.sent_count += 1

    def catch_up(self) -> None:
        """The disk is not behind any more."""
        self._is_behind = False
        self.look_at_room()

    def look_at_room(self) -> None:
        """Go on reading, if what held that up is over."""
        if self._has_room is not None and not self._is_held_up:
            self._has_room.set()

    def _send_heartbeat(self) -> None:
        if not self._unsent:  # what waits is a sign of life itself, once it can be sent
            self._send((HEARTBEAT_FRAME,))

    # -- ending

    def force_close(self, reason: str) -> None:
        """Close with CONNECTION_FORCED (320) and this reason. A turn of its own."""
        self._guard(self.connection.force_close, reason)
        self._server.flush()
        self._look_at_drop()
        self._server.flush()

    def end(self, reason: str, level: int = logging.INFO) -> None:
        """Reset the transport and tell the handlers. May be called from anywhere and again; the caller flushes."""
        if self._has_ended:
            return
        self._has_ended = True
        self._transport.reset()
        self._heartbeats.stop()
        if self._deadline is not None:
            self._deadline.cancel()
        if self._has_room is not None:
            self._has_room.set()
        self._unsent.clear()
        self._unsent_bytes = 0
        log.log(level, "%s ended: %s", self.connection, reason)
        self._guard(self.connection.lost)
        self._server.forget(self)

    def _peer_is_gone(self, how: str) -> None:
        if self._drop_seconds is not None:
            self.end("closed")
        elif not self.connection.handshake_done and not self._heartbeats.has_received:
            self.end("nothing was ever received", logging.DEBUG)  # a port check
        else:
            self.end(how, logging.WARNING)

    def _look_at_drop(self) -> None:
        """Carry out the handlers' wish to drop the connection, where there is a new one."""
        seconds = self.connection.drop_after_seconds
        if seconds is None or seconds == self._drop_seconds or self._has_ended:
            return
        self._drop_seconds = seconds
        self._set_deadline(seconds or LAST_WORDS_SECONDS, self._drop_is_due)
        self._end_if_due()

    def _end_if_due(self) -> None:
        if self._drop_seconds == 0 and not self._unsent:
            self.end("closed")

    def _drop_is_due(self) -> None:
        self.end("closed, and the peer did not end TCP in time")

    def _handshake_is_late(self) -> None:
        self.end(f"the handshake took more than {self._server.handshake_seconds:g} s", logging.WARNING)

    def _give_up(self, reason: str) -> None:
        self.end(reason, logging.WARNING)

    def _set_deadline(self, seconds: float, call: Callable[[], None]) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._server.timers.call_after(seconds, call)

    def _guard(self, call: Callable[..., None], *args: object) -> None:
        """Call into the handlers. A failure there is a bug of ours, and ends this connection only.

        But raises StoreError: a message cannot be read back, which ends the broker.
        """
        try:
            call(*args)
        except StoreError:
            raise
        except Exception:
            log.exception("%s: internal error", self.connection)
            self._fail()

    def _fail(self) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._guard(self.connection.fail)
            if self.connection.drop_after_seconds is not None:
                return  # the peer was told, and may answer
        self.end("internal error", logging.ERROR)
