"""The transport that has TLS on a TCP one; what it is given is in test_certificates.py."""

import contextlib
import logging
import ssl

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from leveret.shell.listener import listen_on
from leveret.shell.server import Server
from leveret.shell.tls import Certificates, TLSListener, TLSOptions, TLSTransport
from tests.certificates import Authority, changed, client_context
from tests.shell.memory import MemoryTransport, SlicedWork, ToldConnection

# -- in memory


class MemoryPeer:
    """A TLS client whose TCP is a MemoryTransport of the broker."""

    def __init__(self, transport, context):
        self.transport = transport
        self._received, self._put_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._received, self._put_out, server_hostname="localhost")
        self._seen = 0

    def step(self, call):
        """Call something of TLS, then exchange what there is. Returns None if it wants to read first."""
        sent = self.transport.sent
        self._received.write(sent[self._seen :])
        self.transport.peer_takes(len(sent) - self._seen)
        self._seen = len(sent)
        try:
            return call()
        except ssl.SSLWantReadError:
            return None
        finally:
            if data := self._put_out.read():
                self.transport.peer_sends(data)

    async def handshake(self):
        while self.step(self.tls.do_handshake) is None and self.tls.version() is None:
            await wait_all_tasks_blocked()
        self.step(self.tls.do_handshake)
        await wait_all_tasks_blocked()

    def send(self, data):
        self.step(lambda: self.tls.write(data))

    async def read_all(self):
        """All that comes until there is nothing more."""
        received = b""
        while (data := self.step(lambda: self.tls.read(1 << 20))) is not None:
            received += data
            await wait_all_tasks_blocked()
        return received


@pytest.fixture
async def joined(nursery, options, authority):
    """The broker's transport after the handshake, its TCP and the peer."""
    below = MemoryTransport()
    transport = TLSTransport(below, Certificates(options).context)
    peer = MemoryPeer(below, client_context(authority))
    nursery.start_soon(transport.start)
    await wait_all_tasks_blocked()
    await peer.handshake()
    return transport, below, peer


async def test_what_the_peer_sent_is_read_in_the_sizes_that_are_asked_for(joined):
    transport, _, peer = joined
    peer.send(b"abcdefgh")
    assert await transport.receive_some(3) == b"abc"
    assert await transport.receive_some(100) == b"defgh"


async def test_what_came_together_is_read_together(joined):
    """The shell carries out up to 64 KiB in one turn; a TLS record has 16 KiB at most."""
    transport, _, peer = joined
    peer.send(b"x" * 60_000)
    assert await transport.receive_some(64 * 1024) == b"x" * 60_000


@pytest.mark.parametrize("offered_bytes", [None, 30_000, 1])
async def test_what_the_kernel_does_not_take_is_the_callers_to_offer_again(joined, offered_bytes):
    """Nothing is lost, doubled or out of order, whatever the kernel takes and however the rest is offered again."""
    transport, below, peer = joined
    await peer.read_all()
    below.capacity = 1000
    data = bytes(range(256)) * (20 if offered_bytes == 1 else 1000)
    left, received = memoryview(data), b""
    tries = 0
    while left:
        offered = left[:offered_bytes] if tries else left
        taken = transport.try_send(offered)
        assert taken <= len(offered)
        left = left[taken:]
        received += await peer.read_all()
        tries += 1
    received += await peer.read_all()
    assert received == data
    assert tries > 2


async def test_a_peer_that_reads_nothing_holds_up_nobody(joined):
    transport, below, peer = joined
    await peer.read_all()
    below.capacity = 10
    assert transport.try_send(b"x" * 1_000_000) == 0
    assert transport.try_send(b"x" * 1_000_000) == 0
    transport.reset()
    assert below.is_reset


async def test_the_close_notify_of_the_peer_is_its_end(joined):
    transport, _, peer = joined
    peer.send(b"last words")
    peer.step(peer.tls.unwrap)
    assert await transport.receive_some(100) == b"last words"
    assert await transport.receive_some(100) == b""
    assert await transport.receive_some(100) == b""


async def test_so_is_the_end_of_tcp_without_one(joined):
    transport, below, peer = joined
    peer.send(b"last words")
    below.peer_ends()
    assert await transport.receive_some(100) == b"last words"
    assert await transport.receive_some(100) == b""


async def test_a_reset_is_told_with_a_close_notify(joined):
    transport, below, peer = joined
    transport.try_send(b"bye")
    transport.reset()
    transport.reset()
    assert below.is_reset
    assert peer.step(lambda: peer.tls.read(100)) == b"bye"
    assert peer.step(lambda: peer.tls.read(100)) == b""


async def test_what_is_no_tls_any_more_breaks_the_stream(joined):
    transport, below, _ = joined
    sent_before = len(below.sent)
    below.peer_sends(b"\x17\x03\x03\0\x10" + b"x" * 16)
    with pytest.raises(OSError) as raised:
        await transport.receive_some(100)
    assert str(raised.value).startswith("TLS failed: ")
    assert raised.value.errno is None
    assert len(below.sent) > sent_before  # an alert, encrypted


async def test_a_transport_that_was_reset_wakes_its_reader(joined, nursery):
    transport, _, _ = joined
    with pytest.RaisesGroup(trio.ClosedResourceError):
        async with trio.open_nursery() as reading:
            reading.start_soon(transport.receive_some, 10)
            await wait_all_tasks_blocked()
            transport.reset()


@settings(deadline=None)
@given(pieces=st.lists(st.binary(min_size=1)), starts_as_tls=st.booleans())
def test_any_bytes_are_a_handshake_that_fails_or_does_not_end(options, pieces, starts_as_tls):
    """Nothing but OSError ever comes out of it."""

    async def shake_hands():
        below = MemoryTransport()
        transport = TLSTransport(below, Certificates(options).context)
        below.peer_sends(*([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] * starts_as_tls), *pieces)
        below.peer_ends()
        with pytest.raises(OSError):
            await transport.start()
        transport.reset()
        assert below.is_reset

    trio.run(shake_hands)


@settings(deadline=None)
@given(noise=st.binary(min_size=1), is_record=st.booleans())
async def test_any_bytes_after_the_handshake_are_read_as_nothing_or_break_the_stream(
    options, authority, noise, is_record
):
    below = MemoryTransport()
    transport = TLSTransport(below, Certificates(options).context)
    peer = MemoryPeer(below, client_context(authority))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(transport.start)
        await wait_all_tasks_blocked()
        await peer.handshake()
    below.peer_sends(b"\x17\x03\x03" + len(noise).to_bytes(2, "big") + noise if is_record else noise)
    below.peer_ends()
    with contextlib.suppress(OSError):
        assert await transport.receive_some(100) == b""
    transport.reset()


# -- on a server


async def test_a_peer_that_does_not_shake_hands_is_reset_after_5_seconds(harness, clock, options, caplog):
    """RabbitMQ: ssl_handshake_timeout. A byte now and then does not help."""
    below = MemoryTransport()
    harness.transports.append(below)
    harness.listener.arrive(TLSTransport(below, Certificates(options).context))
    await clock.until(4)
    below.peer_sends(b"\x16\x03\x01")
    await clock.until(4.9375)
    assert not below.is_reset
    await clock.until(5)
    assert below.is_reset
    assert "the TLS handshake took more than 5 s" in caplog.text
    assert harness.server.connection_count == 0


async def test_the_time_for_the_amqp_handshake_begins_after_it(harness, clock, options, authority):
    harness.prepare = lambda connection: setattr(connection, "handshake_done", False)
    below = MemoryTransport()
    harness.transports.append(below)
    harness.listener.arrive(TLSTransport(below, Certificates(options).context))
    await clock.until(3)
    await MemoryPeer(below, client_context(authority)).handshake()
    await clock.until(12.9375)
    assert not below.is_reset
    await clock.until(13)
    assert below.is_reset


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"AMQP\0\0\x09\x01", "wrong version number"),
        (b"GET / HTTP/1.1\r\n\r\n", "http request"),
        (b"\x16\x03\x01\0\x05xxxxx", ""),
        (b"\x16\x03\x01", "the peer ended TCP"),
    ],
)
async def test_who_speaks_no_tls_is_told_in_the_log_and_ended(harness, options, caplog, sent, reason):
    harness.prepare = lambda connection: setattr(connection, "handshake_done", False)
    below = MemoryTransport()
    harness.transports.append(below)
    harness.listener.arrive(TLSTransport(below, Certificates(options).context))
    await wait_all_tasks_blocked()
    below.peer_sends(sent)
    await wait_all_tasks_blocked()
    below.peer_ends()
    await wait_all_tasks_blocked()
    assert below.is_reset
    assert f"the TLS handshake failed: {reason}" in caplog.text
    assert harness.connections[0].received == []


async def test_a_peer_that_cannot_agree_is_told_with_an_alert(harness, options, authority):
    below = MemoryTransport()
    harness.transports.append(below)
    harness.listener.arrive(TLSTransport(below, Certificates(changed(options, versions=("tlsv1.3",))).context))
    await wait_all_tasks_blocked()
    context = client_context(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    peer = MemoryPeer(below, context)
    peer.step(peer.tls.do_handshake)
    await wait_all_tasks_blocked()
    with pytest.raises(ssl.SSLError) as raised:
        peer.step(peer.tls.do_handshake)
    assert "ALERT_PROTOCOL_VERSION" in raised.value.reason


async def test_a_look_at_the_port_is_no_warning(harness, options, caplog):
    caplog.set_level(logging.INFO)
    harness.prepare = lambda connection: setattr(connection, "handshake_done", False)
    below = MemoryTransport()
    harness.transports.append(below)
    harness.listener.arrive(TLSTransport(below, Certificates(options).context))
    below.peer_ends()
    await wait_all_tasks_blocked()
    assert harness.server.connection_count == 0
    assert caplog.text == ""


# -- on sockets


@contextlib.asynccontextmanager
async def served(certificates, connections):
    def make_connection(peer, local, wake):
        connection = ToldConnection(peer, local, wake)
        connection.on_receive = lambda connection, data: connection.send(data)
        connections.append(connection)
        return connection

    listeners = [TLSListener(listener, certificates) for listener in await listen_on([("127.0.0.1", 0)])]
    async with trio.open_nursery() as nursery:
        await nursery.start(Server(make_connection, SlicedWork()).serve, listeners)
        yield listeners[0].port
        nursery.cancel_scope.cancel()


async def connected(port, context, name="localhost"):
    stream = trio.SSLStream(
        await trio.open_tcp_stream("127.0.0.1", port), context, server_hostname=name, https_compatible=True
    )
    await stream.do_handshake()
    return stream


def refused():
    return pytest.RaisesGroup(trio.BrokenResourceError, flatten_subgroups=True)


async def session_of(options, context, name="localhost"):
    """What the broker knows of a client that has said something."""
    connections = []
    async with served(Certificates(options), connections) as port:
        stream = await connected(port, context, name)
        await stream.send_all(b"hello")
        assert await stream.receive_some() == b"hello"
        await stream.aclose()
    return connections[0].tls


async def test_bytes_go_there_and_back_and_a_version_is_agreed_on(options, authority):
    session = await session_of(options, client_context(authority))
    assert session.protocol == "tlsv1.3"
    assert session.suite_parts()[::2] == ("any", "aead")
    assert session.certificate is None


async def test_any_name_may_be_asked_for(options, authority):
    """SNI: there is one certificate for all names."""
    context = client_context(authority)
    context.check_hostname = False
    assert await session_of(options, context, "somewhere.example")


async def test_megabytes_reach_a_slow_reader_whole_and_in_order(options, authority):
    data = bytes(range(256)) * 4 * 1024 * 8
    connections = []
    async with served(Certificates(options), connections) as port:
        stream = await connected(port, client_context(authority))
        await stream.send_all(b"x")
        await stream.receive_some()
        connections[0].send(data)
        await stream.send_all(b"y")  # the turn it goes out in
        received = bytearray()
        while len(received) <= len(data):
            received += await stream.receive_some(10_000)
        assert received == data + b"y"
        await stream.aclose()


async def test_the_end_by_the_broker_is_an_orderly_one(options, authority):
    connections = []
    async with served(Certificates(options), connections) as port:
        stream = await connected(port, client_context(authority))
        await stream.send_all(b"x")
        await stream.receive_some()
        connections[0].on_receive = lambda connection, data: setattr(connection, "drop_after_seconds", 0)
        await stream.send_all(b"y")
        assert await stream.receive_some() == b""


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
async def test_one_version_alone(options, authority, version):
    session = await session_of(changed(options, versions=(version,)), client_context(authority))
    assert session.protocol == version


async def test_an_older_version_is_refused(options, authority):
    context = client_context(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with refused():
        await session_of(changed(options, versions=("tlsv1.3",)), context)


# -- certificates of clients


async def test_the_certificate_of_the_client_is_handed_on(options, authority):
    asking = changed(options, verify=True, fail_if_no_peer_cert=True)
    certificate = (await session_of(asking, client_context(authority, "client"))).certificate
    assert certificate.subject.startswith("CN=client,")
    assert certificate.common_names == ("client",)
    assert certificate.alternative_names == (("email", "client@example.com"),)


async def test_it_is_not_asked_for_without_verify(options, authority):
    assert (await session_of(options, client_context(authority, "client"))).certificate is None


async def test_a_client_without_one_is_let_in_unless_it_must_have_one(options, authority):
    context = client_context(authority)
    assert (await session_of(changed(options, verify=True), context)).certificate is None
    with refused():
        await session_of(changed(options, verify=True, fail_if_no_peer_cert=True), context)


async def test_one_of_another_authority_is_refused(options, authority, tmp_path, caplog):
    context = client_context(authority)
    context.load_cert_chain(*Authority(tmp_path).issue("stranger"))
    with refused():
        await session_of(changed(options, verify=True), context)
    assert "the TLS handshake failed: the certificate of the peer: " in caplog.text


# -- read again


async def test_new_connections_get_the_new_certificate(authority, tmp_path):
    here = Authority(tmp_path)
    certfile, keyfile = here.issue()
    certificates = Certificates(TLSOptions(certfile, keyfile))
    connections = []
    async with served(certificates, connections) as port:
        old = await connected(port, client_context(here))
        first = old.getpeercert(binary_form=True)
        here.issue()
        certificates.read_again()
        new = await connected(port, client_context(here))
        assert new.getpeercert(binary_form=True) != first
        await old.send_all(b"still here")
        assert await old.receive_some() == b"still here"
