"""Peers that are slow, silent or gone without a word: what they hold is theirs for a time that has a name.

Half a TLS handshake is in tests/shell/test_tls.py; each heartbeat, and answers that nobody reads, in tests/shell.
"""

import tracemalloc

import pytest
from trio.testing import wait_all_tasks_blocked

from leveret.handlers.outgoing import OUTPUT_BYTES_MAX, TURN_OUTPUT_BYTES_MAX
from leveret.shell.connection import HANDSHAKE_SECONDS, UNSENT_LIMIT_BYTES
from leveret_protocol import constants, methods
from leveret_protocol.content import Properties, content_frames, encode_header
from leveret_protocol.methods import Basic, Channel, Queue, encode_method, make
from tests.hostile.leftovers import live_objects, nothing_logged

CONNECTIONS = 2000
HEARTBEAT_SECONDS = 10
BODY_BYTES = 1000
MESSAGES = 10_000

START_OK = encode_method(
    0,
    make(methods.Connection.StartOk, client_properties={}, mechanism="PLAIN", response="\0guest\0guest", locale=""),
)
TUNE_OK = encode_method(
    0,
    make(methods.Connection.TuneOk, channel_max=2047, frame_max=constants.FRAME_MAX, heartbeat=HEARTBEAT_SECONDS),
)
OPEN = encode_method(0, make(methods.Connection.Open, virtual_host="/"))
HANDSHAKE = constants.PROTOCOL_HEADER + START_OK + TUNE_OK + OPEN + encode_method(1, make(Channel.Open))


def sent(*sent_methods):
    return b"".join(encode_method(1, method) for method in sent_methods)


def published(body, exchange="", routing_key="q"):
    content = content_frames(1, encode_header(Properties(), len(body)), body, constants.FRAME_MAX)
    return sent(make(Basic.Publish, exchange=exchange, routing_key=routing_key)) + content


CONSUME = sent(make(Basic.Consume, queue="q", no_ack=True))


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [constants.PROTOCOL_HEADER, START_OK[:20]],
        [constants.PROTOCOL_HEADER + START_OK + TUNE_OK],
    ],
    ids=["nothing", "half a login", "no connection.open"],
)
async def test_two_thousand_that_stop_half_way_are_gone_after_ten_seconds(served, clock, pieces):
    """HANDSHAKE_SECONDS. RabbitMQ: CON-3."""
    with nothing_logged():
        served.arrive(*pieces).peer_ends()  # whoever accepts remembers the last one, and logins have a count
        await wait_all_tasks_blocked()
        before = live_objects()
        peers = [served.arrive(*pieces) for _ in range(CONNECTIONS)]
        await wait_all_tasks_blocked()
        await clock.until(HANDSHAKE_SECONDS - 0.25)
        assert served.server.connection_count == CONNECTIONS
        await clock.until(HANDSHAKE_SECONDS + 0.25)
        assert all(peer.is_reset for peer in peers)
        assert served.server.connection_count == 0
        left = live_objects() - before
        assert not left, left


async def test_a_byte_now_and_then_gets_no_more_time(served, clock):
    """The ten seconds are for the whole handshake."""
    peer = served.arrive()
    for second, octet in enumerate(constants.PROTOCOL_HEADER + START_OK):
        await clock.until(second)
        if peer.is_reset:
            break
        peer.peer_sends(bytes((octet,)))
    assert HANDSHAKE_SECONDS <= second <= HANDSHAKE_SECONDS + 1


async def test_what_a_vanished_peer_held_goes_to_others(served, clock):
    """Neither FIN nor RST comes; heartbeats are missed. RabbitMQ: two looks in a row that find nothing new."""
    gone = served.arrive(HANDSHAKE, sent(make(Queue.Declare, queue="q")), sent(make(Basic.Consume, queue="q")))
    await wait_all_tasks_blocked()
    gone.peer_sends(published(b"the body"))
    await wait_all_tasks_blocked()
    assert gone.sent.count(b"the body") == 1
    other = served.arrive(HANDSHAKE, CONSUME)
    await wait_all_tasks_blocked()
    for second in range(0, 3 * HEARTBEAT_SECONDS + 1, HEARTBEAT_SECONDS // 2):
        await clock.until(second)
        other.peer_sends(constants.HEARTBEAT_FRAME)
    await wait_all_tasks_blocked()
    assert gone.is_reset
    assert not other.is_reset
    assert other.sent.count(b"the body") == 1


CONSUME_ACKED = make(Basic.Consume, queue="q", consumer_tag="c")
NACK = make(Basic.Nack, multiple=True, requeue=True)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ([], [make(Basic.Get, queue="q"), NACK]),
        ([CONSUME_ACKED], [NACK]),
        ([CONSUME_ACKED], [make(Basic.Recover, requeue=True)]),
        ([], [CONSUME_ACKED, make(Basic.Cancel, consumer_tag="c"), NACK]),
    ],
    ids=["get", "nack", "recover", "consume"],
)
async def test_a_message_that_is_asked_for_a_thousand_times_in_one_read_is_sent_as_it_is_taken(
    served, clock, first, again
):
    """TURN_OUTPUT_BYTES_MAX: a turn puts out one message more than the limit at most."""
    body = bytes(200_000)
    capacity = 64 * 1024
    publisher = served.arrive(HANDSHAKE, sent(make(Queue.Declare, queue="q")), published(body))
    await wait_all_tasks_blocked()
    asked = sent(*first) + sent(*again) * 1000 + sent(make(Basic.Qos))
    peer = served.arrive(HANDSHAKE, asked, capacity=capacity)
    tracemalloc.start()
    try:
        await wait_all_tasks_blocked()
        assert tracemalloc.get_traced_memory()[1] < 4 * TURN_OUTPUT_BYTES_MAX
    finally:
        tracemalloc.stop()
    got, end, is_answered = 0, b"", False
    while not got or peer.sends:
        got += sum(map(len, peer.sends))
        is_answered = is_answered or sent(make(Basic.QosOk)) in end + b"".join(peer.sends)
        end = peer.sends[-1][-20:]
        peer.sends.clear()
        peer.peer_takes()
        await wait_all_tasks_blocked()
    assert len(body) < got < 1002 * len(body)  # while it takes none, its consumer is given none
    assert is_answered
    assert not publisher.is_reset


async def test_a_consumer_that_never_reads_is_sent_little_and_others_get_the_rest(served, clock):
    """UNSENT_LIMIT_BYTES, and the slice that was being delivered when its kernel had no more room."""
    capacity = 64 * 1024
    deaf = served.arrive(HANDSHAKE, sent(make(Queue.Declare, queue="q")), CONSUME, capacity=capacity)
    publisher = served.arrive(HANDSHAKE)
    await wait_all_tasks_blocked()
    for _ in range(MESSAGES // 100):
        publisher.peer_sends(published(bytes(BODY_BYTES)) * 100)
    await wait_all_tasks_blocked()
    publisher.peer_sends(sent(make(Queue.Declare, queue="q", passive=True)))
    await wait_all_tasks_blocked()
    declare_ok = publisher.sent[-12:]  # message count, consumer count, frame end
    ready = int.from_bytes(declare_ok[3:7], "big")
    assert (MESSAGES - ready) * BODY_BYTES < UNSENT_LIMIT_BYTES + capacity
    other = served.arrive(HANDSHAKE, CONSUME)
    await wait_all_tasks_blocked()
    assert other.sent.count(bytes(BODY_BYTES)) == ready
    assert len(deaf.sent) == capacity


@pytest.mark.parametrize(
    ("body_size", "publishes", "bytes_max"),
    [(500_000, 1, 2 * OUTPUT_BYTES_MAX), (20, 300, 8 * TURN_OUTPUT_BYTES_MAX)],
    ids=["a large one", "small ones"],
)
async def test_what_is_published_for_hundreds_of_consumers_of_one_connection_is_sent_as_it_is_taken(
    served, clock, body_size, publishes, bytes_max
):
    """OUTPUT_BYTES_MAX; for small ones, whose objects take five times as much, TURN_OUTPUT_BYTES_MAX."""
    queues = [f"q{number}" for number in range(200)]
    consumer = served.arrive(
        HANDSHAKE,
        *(
            sent(
                make(Queue.Declare, queue=queue),
                make(Queue.Bind, queue=queue, exchange="amq.fanout"),
                make(Basic.Consume, queue=queue, no_ack=True),
            )
            for queue in queues
        ),
        capacity=64 * 1024,
    )
    await wait_all_tasks_blocked()
    consumer.sends.clear()
    tracemalloc.start()
    try:
        served.arrive(HANDSHAKE, published(bytes(body_size), "amq.fanout") * publishes)
        await wait_all_tasks_blocked()
        assert tracemalloc.get_traced_memory()[1] < bytes_max
    finally:
        tracemalloc.stop()
    got = 0
    while consumer.sends:
        got += sum(map(len, consumer.sends))
        consumer.sends.clear()
        consumer.peer_takes()
        await wait_all_tasks_blocked()
    assert 0 <= got - len(queues) * publishes * body_size < len(queues) * publishes * 200
