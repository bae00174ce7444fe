"""Where connections come from: listening TCP sockets."""

import errno
import ipaddress
import logging
import socket
from collections.abc import Iterable
from socket import socket as Socket
from typing import Any, Protocol

import trio

from leveret.shell.transport import SocketTransport, Transport

log = logging.getLogger(__name__)

# Connections the kernel completes while the broker is busy. RabbitMQ's `tcp_listen_options.backlog` is 128; CI starts
# hundreds of workers at once, and the kernel cuts the number to its own limit.
BACKLOG_CONNECTIONS = 1024

_PORT_MAX = 65535
_PORT_TRIES = 10

# What accept() says of a connection that was gone before it could be taken, not of the listener (accept(2), "Linux").
_GONE_ERRNOS = frozenset(
    {
        errno.ECONNABORTED,
        errno.EPROTO,
        errno.EPERM,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOPROTOOPT,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EOPNOTSUPP,
    }
)

# Where IPv6 is switched off.
_NO_SUCH_ADDRESS_ERRNOS = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class Listener(Protocol):
    """Something that connections arrive at."""

    def fileno(self) -> int:
        """Of what the system can tell whether one has; -1: nothing."""

    async def accept(self) -> Transport:
        """Wait for the next connection. Raises OSError: none can be had now (say, no file descriptor is left)."""

    def close(self) -> None:
        """Take no more connections. May be called again."""


class SocketListener:
    """A listening TCP socket. host: its address."""

    def __init__(self, listening: Socket) -> None:
        self._socket = listening
        listening.setblocking(False)
        self.host: str = listening.getsockname()[0]
        self.port: int = listening.getsockname()[1]

    @property
    def socket(self) -> Socket:
        """For somebody else to accept from, instead of calling `accept`."""
        return self._socket

    def fileno(self) -> int:
        return self._socket.fileno()

    async def accept(self) -> SocketTransport:
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                connected, address = self._socket.accept()
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno in _GONE_ERRNOS:
                    continue
                raise
            try:
                return SocketTransport(connected, address_text(address), address_text(connected.getsockname()))
            except OSError as error:
                log.debug("a connection was gone as soon as it came: %s", error)
                connected.close()

    def close(self) -> None:
        if self._socket.fileno() != -1:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()


def address_text(address: tuple[Any, ...]) -> str:
    """`127.0.0.1:5672` or `[::1]:5672`; an IPv4 peer of an IPv6 listener shows as IPv4, as in RabbitMQ."""
    host, port = address[:2]
    if ":" not in host:
        return f"{host}:{port}"
    mapped = ipaddress.IPv6Address(host).ipv4_mapped
    return f"{mapped}:{port}" if mapped else f"[{host}]:{port}"


def host_and_port(name: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:5672` or `[::1]:5672`."""
    host, _, port = name.rpartition(":")
    return host.strip("[]"), int(port)


async def listen(host: str, port: int) -> list[SocketListener]:
    """Listeners on every address of `host`, all on the same port; port 0 takes a free one.

    "" is every address of this machine, IPv6 and IPv4, or all of IPv4 where there is no IPv6 (RabbitMQ's `auto`).
    Raises OSError: no address of the host (socket.gaierror), port in use, not allowed, not an address of this machine.
    """
    if not 0 <= port <= _PORT_MAX:
        raise OSError(errno.EINVAL, f"a port is a number from 0 to {_PORT_MAX}, not {port}")
    if not host:
        try:
            return await listen("::", port)
        except OSError as error:
            if error.errno not in _NO_SUCH_ADDRESS_ERRNOS:
                raise
            host = "0.0.0.0"
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = list(dict.fromkeys((family, address[0]) for family, _, _, _, address in found))
    for _ in range(_PORT_TRIES):
        try:
            return _listen_on(addresses, port)
        except OSError as error:
            # The port that the first address was given may be in use on the second.
            if port != 0 or error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"no port is free on all addresses of {host}")


async def listen_on(addresses: Iterable[tuple[str, int]]) -> list[SocketListener]:
    """Listeners on all of these hosts and ports, as `listen`; where one cannot be had, none is left.

    Raises OSError that names the address.
    """
    listeners: list[SocketListener] = []
    for host, port in addresses:
        try:
            listeners += await listen(host, port)
        except OSError as error:
            for listener in listeners:
                listener.close()
            text = f"cannot listen on {host}:{port}: {error.strerror or error}"
            raise OSError(error.errno, text) from error
    return listeners


def _listen_on(addresses: list[tuple[Any, Any]], port: int) -> list[SocketListener]:
    listeners: list[SocketListener] = []
    unusable: OSError | None = None
    try:
        for family, host in addresses:
            try:
                listener = SocketListener(_bound(family, host, port))
            except OSError as error:
                # "localhost" has an IPv6 address also on machines with IPv6 switched off.
                if error.errno not in _NO_SUCH_ADDRESS_ERRNOS:
                    raise
                unusable = error
                continue
            listeners.append(listener)
            port = listener.port
        if not listeners and unusable is not None:
            raise unusable
    except OSError:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _bound(family: int, host: str, port: int) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "::" takes IPv4 as well, as RabbitMQ's default listener does; a host name has its IPv4 addresses besides.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if host == "::" else 1)
        listening.bind((host, port))
        listening.listen(BACKLOG_CONNECTIONS)
    except OSError:
        listening.close()
        raise
    return listening
