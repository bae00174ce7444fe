"""The shell on real TCP sockets of the loopback interface, on free ports."""

import contextlib
import errno
import socket
import threading

import pytest
import trio

from leveret.shell.listener import address_text, listen
from leveret.shell.server import Server
from leveret.shell.transport import SocketTransport
from tests.shell.memory import SlicedWork, ToldConnection


class Served:
    """A server on sockets; its connections answer as `on_receive` says."""

    def __init__(self, on_receive):
        self.on_receive = on_receive
        self.connections = []

    def make_connection(self, peer, local, wake):
        connection = ToldConnection(peer, local, wake)
        connection.local = local
        connection.on_receive = self.on_receive
        self.connections.append(connection)
        return connection

    @contextlib.asynccontextmanager
    async def running(self, host="127.0.0.1"):
        listeners = await listen(host, 0)
        async with trio.open_nursery() as nursery:
            await nursery.start(Server(self.make_connection, SlicedWork()).serve, listeners)
            yield listeners[0].port
            nursery.cancel_scope.cancel()


def echo(connection, data):
    connection.send(data)


async def test_bytes_go_there_and_back():
    async with Served(echo).running() as port:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        for data in (b"one", b"two"):
            await stream.send_all(data)
            assert await stream.receive_some() == data
        await stream.aclose()


async def test_a_connection_knows_the_names_of_both_ends():
    served = Served(echo)
    async with served.running() as port:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(b"x")
        await stream.receive_some()
        (connection,) = served.connections
        assert connection.peer == address_text(stream.socket.getsockname())
        assert connection.local == f"127.0.0.1:{port}"
        await stream.aclose()


async def test_megabytes_reach_a_slow_reader_whole_and_in_order():
    data = bytes(range(256)) * 4 * 1024 * 16  # 16 MiB: far more than the kernel holds
    served = Served(lambda connection, _: connection.send(data))
    async with served.running() as port:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(b"x")
        received = bytearray()
        while len(received) < len(data):
            received += await stream.receive_some(10_000)
        assert received == data
        (connection,) = served.connections
        while "resume" not in connection.calls:
            await trio.lowlevel.checkpoint()
        assert connection.calls == ["pause", "resume"]
        await stream.aclose()


async def test_the_broker_ends_tcp_with_a_reset():
    """RabbitMQ: CON-1, SO_LINGER {on, 0}; what was sent before arrives."""

    def refuse(connection, data):
        connection.send(b"AMQP\0\0\x09\x01")
        connection.drop_after_seconds = 0

    async with Served(refuse).running() as port:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(b"GET / HT")
        assert await stream.receive_some() == b"AMQP\0\0\x09\x01"
        with pytest.raises(trio.BrokenResourceError) as raised:
            await stream.receive_some()
        assert raised.value.__cause__.errno == errno.ECONNRESET
        await stream.aclose()


async def test_a_reset_by_the_peer_ends_the_connection():
    served = Served(echo)
    async with served.running() as port:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(b"x")
        await stream.receive_some()
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await stream.aclose()
        (connection,) = served.connections
        while not connection.calls:
            await trio.lowlevel.checkpoint()
        assert connection.calls == ["lost"]


async def test_a_stopped_server_takes_no_more_connections():
    async with Served(echo).running() as port:
        pass
    with pytest.raises(OSError):
        await trio.open_tcp_stream("127.0.0.1", port)


async def test_small_pieces_are_sent_without_delay():
    """TCP_NODELAY, as RabbitMQ's listeners have it."""
    accepting = socket.create_server(("127.0.0.1", 0))
    with accepting, socket.create_connection(accepting.getsockname()):
        connected, _ = accepting.accept()
        transport = SocketTransport(connected, "peer", "local")
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        transport.reset()


async def test_a_transport_that_was_reset_wakes_whoever_reads_from_it():
    accepting = socket.create_server(("127.0.0.1", 0))
    with accepting, socket.create_connection(accepting.getsockname()):
        connected, _ = accepting.accept()
        transport = SocketTransport(connected, "peer", "local")
        outcomes = []

        async def read():
            try:
                await transport.receive_some(10)
            except trio.ClosedResourceError:
                outcomes.append("closed")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            transport.reset()
            transport.reset()
        assert outcomes == ["closed"]


@contextlib.asynccontextmanager
async def a_transport():
    """With the socket of its peer."""
    accepting = socket.create_server(("127.0.0.1", 0))
    with accepting, socket.create_connection(accepting.getsockname()) as peer:
        connected, _ = accepting.accept()
        transport = SocketTransport(connected, "peer", "local")
        yield transport, peer
        transport.reset()


async def test_behind_a_full_read_there_may_be_more_or_nothing_yet():
    async with a_transport() as (transport, peer):
        peer.sendall(b"12345678")
        assert await transport.receive_some(4) == b"1234"
        assert await transport.receive_some(4) == b"5678"
        found = []

        async def read():
            found.append(await transport.receive_some(4))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            assert found == []
            peer.sendall(b"9")
        assert found == [b"9"]


async def test_a_transport_that_is_reset_behind_a_full_read_is_closed():
    async with a_transport() as (transport, peer):
        peer.sendall(b"12345678")
        await transport.receive_some(4)

        async def read():
            with pytest.raises(trio.ClosedResourceError):
                await transport.receive_some(4)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.lowlevel.checkpoint()
            transport.reset()


# -- listening


class Addresses(trio.abc.HostnameResolver):
    """Every host has these addresses."""

    def __init__(self, *addresses):
        self._addresses = addresses

    async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self._addresses]

    async def getnameinfo(self, sockaddr, flags):
        raise OSError


@contextlib.asynccontextmanager
async def listening(*addresses):
    trio.socket.set_custom_hostname_resolver(Addresses(*addresses))
    listeners = await listen("some-host", 0)
    yield listeners
    for listener in listeners:
        listener.close()


async def test_a_name_is_listened_on_at_all_its_addresses_on_one_port():
    async with listening("127.0.0.1", "127.0.0.2") as (first, second):
        assert first.port == second.port
        for address in ("127.0.0.1", "127.0.0.2"):
            socket.create_connection((address, first.port)).close()


async def test_an_address_this_machine_does_not_have_is_left_out_if_there_is_another():
    """localhost is also ::1 where IPv6 is switched off."""
    async with listening("192.0.2.1", "127.0.0.1") as (only,):
        socket.create_connection(("127.0.0.1", only.port)).close()


async def test_where_one_address_is_taken_none_is_listened_on():
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        trio.socket.set_custom_hostname_resolver(Addresses("127.0.0.1", "127.0.0.2"))
        with pytest.raises(OSError) as raised:
            await listen("some-host", port)
        assert raised.value.errno == errno.EADDRINUSE
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


async def test_a_port_in_use_is_an_error_that_says_so():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError) as raised:
            await listen("127.0.0.1", taken.getsockname()[1])
        assert raised.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("port", [-1, 65536])
async def test_a_number_that_is_no_port_is_refused(port):
    with pytest.raises(OSError, match="a port is a number from 0 to 65535"):
        await listen("127.0.0.1", port)


async def test_a_name_without_address_is_refused():
    with pytest.raises(socket.gaierror):
        await listen("no-such-host.invalid", 0)


async def test_an_address_of_another_machine_is_refused():
    with pytest.raises(OSError) as raised:
        await listen("192.0.2.1", 0)
    assert raised.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (("127.0.0.1", 5672), "127.0.0.1:5672"),
        (("::1", 5672, 0, 0), "[::1]:5672"),
        (("::ffff:10.0.0.1", 5672, 0, 0), "10.0.0.1:5672"),
    ],
)
def test_addresses_are_named_as_rabbitmq_names_them(address, text):
    assert address_text(address) == text


async def test_many_clients_at_once_are_all_served():
    async with Served(echo).running() as port:
        answers = []

        def client():
            with socket.create_connection(("127.0.0.1", port)) as connected:
                connected.sendall(b"hello")
                answers.append(connected.recv(100))

        threads = [threading.Thread(target=client) for _ in range(100)]
        for thread in threads:
            thread.start()
        await trio.to_thread.run_sync(lambda: [thread.join() for thread in threads])
        assert answers == [b"hello"] * 100
