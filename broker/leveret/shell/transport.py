"""One connection's way to its peer: a small interface, and its form on a TCP socket.

Reading waits; sending does not. What the kernel does not take now is the caller's to keep and try again.
"""

import contextlib
import socket
import struct
from collections.abc import Sequence
from typing import Protocol

import trio

from leveret.handlers.tls_session import TLSSession

# RabbitMQ's listeners: every close by the broker is a reset, also where bytes of the peer were left unread (CON-1).
_LINGER_RESET = struct.pack("ii", 1, 0)
_LINGER_SEND = struct.pack("ii", 0, 0)


class Transport(Protocol):
    """A stream of bytes in both directions.

    peer, local: the two ends as RabbitMQ names them in a connection's name, `127.0.0.1:53211`.
    """

    peer: str
    local: str

    def fileno(self) -> int:
        """Of what the system can tell whether there is something to receive; -1: nothing."""

    async def start(self) -> TLSSession | None:
        """Make it ready for what follows: the TLS handshake, if there is one. Raises as receive_some."""

    async def receive_some(self, size: int) -> bytes:
        """Wait for bytes and return at most `size` of them; b"" where the peer has ended its side.

        Always passes through the scheduler.
        Raises OSError: the stream is broken; trio.ClosedResourceError: reset() was called.
        """

    def try_send(self, data: bytes | memoryview) -> int:
        """Send what can be sent without waiting, and return how many bytes that was. Raises OSError."""

    def try_send_pieces(self, pieces: Sequence[bytes]) -> int:
        """As `try_send`, of some pieces of which one is large."""

    async def wait_writable(self) -> None:
        """Wait until try_send can send again. Raises as receive_some."""

    def reset(self) -> None:
        """End the stream at once, whatever is unsent or unread, and wake whoever waits on it. May be called again."""

    def end_sending(self) -> None:
        """End our side of the stream: behind what was sent the peer finds its end. It is still read from."""

    def close(self) -> None:
        """End the stream as `reset`, but the kernel goes on sending what it has taken."""


class SocketTransport:
    """A connected TCP socket. Raises OSError where the peer has gone before its options could be set."""

    def __init__(self, connected: socket.socket, peer: str, local: str) -> None:
        self._socket = connected
        self._has_more = False
        self.peer = peer
        self.local = local
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)

    def fileno(self) -> int:
        return self._socket.fileno()

    async def start(self) -> None:
        """TCP needs nothing more."""

    async def receive_some(self, size: int) -> bytes:
        if self._has_more:  # most likely: then to ask the kernel for news of it would take longer than to try
            await trio.lowlevel.checkpoint()
            if self._socket.fileno() == -1:
                raise trio.ClosedResourceError
        else:
            await trio.lowlevel.wait_readable(self._socket)
        while True:
            try:
                data = self._socket.recv(size)
            except BlockingIOError:  # woken for nothing, which the kernel is free to do
                await trio.lowlevel.wait_readable(self._socket)
            else:
                self._has_more = len(data) == size
                return data

    def try_send(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    def try_send_pieces(self, pieces: Sequence[bytes]) -> int:
        try:
            return self._socket.sendmsg(pieces)
        except BlockingIOError:
            return 0

    async def wait_writable(self) -> None:
        await trio.lowlevel.wait_writable(self._socket)

    def end_sending(self) -> None:
        with contextlib.suppress(OSError):  # the peer has gone already
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        if self._socket.fileno() != -1:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_SEND)
        self.reset()

    def reset(self) -> None:
        if self._socket.fileno() != -1:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
