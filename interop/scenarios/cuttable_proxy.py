"""A loopback relay in front of the broker whose connections can be cut: what a lost network looks like to both ends."""

from __future__ import annotations

import contextlib
import socket
import threading
import urllib.parse
from collections.abc import Callable
from types import TracebackType


class CuttableProxy:
    """Relays TCP to the broker of `broker_url`; `url` is the way through it.

    One thread accepts, two threads a connection copy bytes. All end with the context.
    """

    def __init__(self, broker_url: str) -> None:
        parts = urllib.parse.urlsplit(broker_url)
        self._broker_address = (parts.hostname, parts.port or 5672)
        self._listener = socket.create_server(("127.0.0.1", 0))
        login = parts.netloc.rpartition("@")[0]
        self.url = parts._replace(netloc=f"{login}@127.0.0.1:{self._listener.getsockname()[1]}").geturl()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> CuttableProxy:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # close() alone would leave accept() waiting
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def cut(self) -> None:
        """End all connections without a word of AMQP. New ones are relayed as before."""
        with self._lock:
            cut, self._sockets = self._sockets, []
        for sock in cut:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed: the end
                return
            broker = socket.create_connection(self._broker_address)
            with self._lock:
                self._sockets += [client, broker]
            for sock in (client, broker):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._relay, client, broker)

    def _relay(self, client: socket.socket, broker: socket.socket) -> None:
        """Copy both ways until both directions have ended; only then close, for the sockets serve two threads."""
        backward = threading.Thread(target=_copy, args=(broker, client), daemon=True)
        backward.start()
        _copy(client, broker)
        backward.join()
        client.close()
        broker.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for sock in (source, target):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
