"""HTTP peers that do not go on: each is dropped in time, and nobody else waits for it."""

import pytest
import trio
import trio.testing

from leveret.management.app import make_app
from leveret.management.serving import serve
from leveret.shell import http_server, turns
from tests.management.conftest import Api
from tests.shell.memory import MemoryListener, MemoryTransport

GET = b"GET /api/overview HTTP/1.1\r\nhost: leveret\r\nauthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n"
PUT = GET.replace(b"GET /api/overview", b"PUT /api/queues/%2F/q")


@pytest.fixture
async def connect(api: Api, nursery):
    listener = MemoryListener()
    nursery.start_soon(serve, api.managed, [listener])

    async def connect(capacity=float("inf")):
        transport = MemoryTransport(capacity=capacity)
        listener.arrive(transport)
        await trio.testing.wait_all_tasks_blocked()
        return transport

    return connect


async def passes(clock, seconds):
    clock.jump(seconds)
    await trio.testing.wait_all_tasks_blocked()


async def until_reset(peer, clock):
    """How many seconds it took."""
    since = trio.current_time()
    await trio.testing.wait_all_tasks_blocked()
    while not peer.is_reset:
        await passes(clock, 0.5)
        assert trio.current_time() < since + 1000, "it is still there"
    return trio.current_time() - since


async def answer(peer):
    await trio.testing.wait_all_tasks_blocked()
    head, _, body = peer.sent.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0], body


async def test_a_tls_handshake_that_does_not_come(api, nursery, mock_clock):
    class Silent(MemoryTransport):
        async def start(self):
            await trio.sleep_forever()

    listener, peer = MemoryListener(), Silent()
    nursery.start_soon(serve, api.managed, [listener])
    listener.arrive(peer)
    assert await until_reset(peer, mock_clock) == pytest.approx(http_server.HANDSHAKE_SECONDS, abs=1)


async def test_one_that_asks_for_nothing(connect, mock_clock):
    assert await until_reset(await connect(), mock_clock) == pytest.approx(http_server.IDLE_SECONDS, abs=2)


async def test_headers_that_drip(connect, mock_clock):
    peer = await connect()
    for octet in GET[:20]:
        peer.peer_sends(bytes([octet]))
        await passes(mock_clock, http_server.IDLE_SECONDS / 19)
    assert await until_reset(peer, mock_clock) <= 2


async def test_headers_that_do_not_end(connect, mock_clock):
    peer = await connect()
    for _ in range(40):
        peer.peer_sends(b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 1000 + b"\r\n")
    assert (await answer(peer))[0] == b"HTTP/1.1 431 Request Header Fields Too Large"
    assert await until_reset(peer, mock_clock) <= 2


async def test_a_kept_connection_that_is_idle(connect, mock_clock):
    peer = await connect()
    for _ in range(3):
        await passes(mock_clock, http_server.IDLE_SECONDS / 2)
        peer.peer_sends(GET)
        assert (await answer(peer))[0] == b"HTTP/1.1 200 OK"
    assert await until_reset(peer, mock_clock) == pytest.approx(http_server.IDLE_SECONDS, abs=2)


async def test_a_body_that_does_not_come(connect, mock_clock):
    peer = await connect()
    peer.peer_sends(PUT.replace(b"\r\n\r\n", b"\r\ncontent-length: 5\r\n\r\n") + b"{")
    assert await until_reset(peer, mock_clock) == pytest.approx(60, abs=3)
    assert (await answer(peer))[0] == b"HTTP/1.1 408 Request Timeout"


async def test_an_answer_that_is_not_taken(connect, mock_clock):
    peer = await connect(capacity=100)
    peer.peer_sends(GET)
    assert await until_reset(peer, mock_clock) == pytest.approx(http_server.TAKING_SECONDS, abs=2)


async def test_an_answer_that_is_taken_slowly(connect, mock_clock):
    peer = await connect(capacity=1000)
    peer.peer_sends(GET)
    length = None
    while length is None or len(peer.sent) < length:
        await passes(mock_clock, http_server.TAKING_SECONDS / 2)
        peer.peer_takes()
        head, _, _ = peer.sent.partition(b"\r\n\r\n")
        length = len(head) + 4 + int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert not peer.is_reset


async def test_one_that_ends_its_side_before_it_has_the_answer(connect, mock_clock):
    peer = await connect()
    peer.peer_sends(GET[:20])
    peer.peer_ends()
    assert await until_reset(peer, mock_clock) <= 1


async def test_http_2_is_not_spoken(connect, mock_clock):
    peer = await connect()
    peer.peer_sends(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert await until_reset(peer, mock_clock) <= 2
    assert peer.sent == b""


@pytest.mark.parametrize(
    "headers",
    [
        b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAB\r\n",
        b"connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: AAAA\r\nsec-websocket-version: 13\r\n",
    ],
)
async def test_who_would_rather_speak_something_else_is_answered(connect, headers):
    peer = await connect()
    for _ in range(2):
        peer.peer_sends(GET[:-2] + headers + b"\r\n")
        assert (await answer(peer))[0] == b"HTTP/1.1 200 OK"
    assert peer.sent.count(b"HTTP/1.1 200 OK") == 2


async def test_a_path_that_is_not_there_takes_no_thread(connect):
    """Who has not logged in can ask for it."""
    peer = await connect()
    peer.peer_sends(b"GET /api/nonsense HTTP/1.1\r\nhost: leveret\r\n\r\n")
    assert (await answer(peer))[0] == b"HTTP/1.1 404 Not Found"


async def test_rubbish(connect, mock_clock):
    peer = await connect()
    peer.peer_sends(b"AMQP\x00\x00\x09\x01\r\n\r\n")
    assert (await answer(peer))[0] == b"HTTP/1.1 400 Bad Request"
    assert await until_reset(peer, mock_clock) <= 2


async def test_requests_that_are_sent_together_are_answered_in_turn(connect, mock_clock):
    peer = await connect()
    peer.peer_sends(GET + GET)
    await trio.testing.wait_all_tasks_blocked()
    assert peer.sent.count(b"HTTP/1.1 200") == 2


async def test_no_more_connections_than_there_may_be(api, nursery, mock_clock, monkeypatch):
    monkeypatch.setattr(http_server, "CONNECTIONS_MAX", 2)
    listener = MemoryListener()
    nursery.start_soon(http_server.serve_http, make_app(api.managed), [listener])
    peers = [MemoryTransport(number) for number in range(3)]
    for peer in peers:
        listener.arrive(peer)
        peer.peer_sends(GET)
    await trio.testing.wait_all_tasks_blocked()
    assert [bool(peer.sent) for peer in peers] == [True, True, False]
    peers[0].peer_ends()
    await trio.testing.wait_all_tasks_blocked()
    assert peers[2].sent


async def test_when_the_broker_stops_nobody_is_waited_for(api, mock_clock):
    listener, peer = MemoryListener(), MemoryTransport(capacity=100)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, api.managed, [listener])
        listener.arrive(peer)
        peer.peer_sends(GET)
        await trio.testing.wait_all_tasks_blocked()
        since = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() == since
    assert peer.is_reset


async def test_a_body_that_pours_in_while_the_login_has_to_wait(api, connect, mock_clock):
    """The answer comes before the body is read: it must end the connection all the same."""
    for _ in range(20):
        await api.ask("GET", "/whoami", password="wrong")
    await api.ask("GET", "/whoami")  # its turn is now; the one after it has to wait
    peer = await connect()
    peer.peer_sends(PUT.replace(b"Basic Z3", b"Basic Z4").replace(b"\r\n\r\n", b"\r\ncontent-length: 99999999\r\n\r\n"))
    peer.peer_sends(*[b"x" * 1000] * 100)
    assert (await answer(peer))[0] == b""
    api.harness.advance(5)
    assert (await answer(peer))[0] == b"HTTP/1.1 401 Unauthorized"
    assert await until_reset(peer, mock_clock) <= 2


async def test_who_goes_away_while_messages_are_got_has_got_nothing(api, connect, monkeypatch):
    monkeypatch.setattr(turns, "TURN_SECONDS", 0)
    client = api.harness.connect()
    client.declare("q")
    for _ in range(1000):
        client.publish("", "q", b"x")
    queue = api.node.vhosts["/"].queues["q"]
    body = b'{"count": 1000, "ackmode": "ack_requeue_false", "encoding": "auto"}'
    head = GET.replace(b"GET /api/overview", b"POST /api/queues/%2F/q/get")
    peer = await connect()
    peer.peer_sends(head.replace(b"\r\n\r\n", b"\r\ncontent-length: %d\r\n\r\n" % len(body)) + body)
    while not queue.unacked_count:
        await trio.lowlevel.checkpoint()
    flush_count = api.flush_count
    peer.peer_ends()
    await trio.testing.wait_all_tasks_blocked()
    assert peer.is_reset
    assert (queue.message_count, queue.unacked_count) == (1000, 0)
    assert api.flush_count > flush_count
