"""Peers that err, lie, or vanish in the middle: only they have the damage."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leveret_protocol import constants
from leveret_protocol.methods import (
    METHODS,
    Basic,
    Channel,
    Confirm,
    Connection,
    Frame,
    Queue,
    Tx,
    encode_method,
    make,
    method_ids,
)
from tests.harness import BrokerHarness, Client, header_payload, raw_frame

PUBLISH = encode_method(1, make(Basic.Publish, routing_key="q"))


def header(body_size: int, class_id: int = 60, weight: int = 0) -> bytes:
    payload = class_id.to_bytes(2, "big") + weight.to_bytes(2, "big") + header_payload(b"\0\0", body_size)[4:]
    return raw_frame(constants.FRAME_HEADER, 1, payload)


def body(octets: bytes) -> bytes:
    return raw_frame(constants.FRAME_BODY, 1, octets)


METHOD_EXPECTED = "UNEXPECTED_FRAME - expected method frame, got non method frame instead"
HEADER_EXPECTED = "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead"
BODY_EXPECTED = "UNEXPECTED_FRAME - expected content body, got non content body frame instead"
DECLARE = encode_method(1, make(Queue.Declare, queue="q"))


@pytest.mark.parametrize(
    ("data", "text", "method"),
    [
        (header(1), METHOD_EXPECTED, None),
        (body(b"x"), METHOD_EXPECTED, None),
        (PUBLISH + header(0) + body(b"x"), METHOD_EXPECTED, None),
        (PUBLISH + DECLARE, HEADER_EXPECTED, Basic.Publish),
        (PUBLISH + PUBLISH, HEADER_EXPECTED, Basic.Publish),
        (PUBLISH + body(b"x"), HEADER_EXPECTED, Basic.Publish),
        (PUBLISH + header(1, weight=1), HEADER_EXPECTED, Basic.Publish),
        (
            PUBLISH + header(1, class_id=50),
            "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead",
            Basic.Publish,
        ),
        (PUBLISH + header(1) + DECLARE, BODY_EXPECTED, Basic.Publish),
        (PUBLISH + header(1) + header(1), BODY_EXPECTED, Basic.Publish),
        (
            PUBLISH + header(2) + body(b"xyz"),
            "FRAME_ERROR - content body frame exceeds remaining content size",
            Basic.Publish,
        ),
        (
            PUBLISH + header(536870913),
            "FRAME_ERROR - content body size 536870913 exceeds maximum allowed size 536870912",
            Basic.Publish,
        ),
        (raw_frame(5, 1, b"abc"), 'FRAME_ERROR - type 5, all octets = <<"abc">>: unknown_frame', None),
        (raw_frame(8, 0, b"abc"), 'FRAME_ERROR - type 8, all octets = <<"abc">>: unknown_frame', None),
        (raw_frame(8, 1, b""), "UNEXPECTED_FRAME - type 8, all octets = <<>>", None),
        (raw_frame(3, 0, b"x"), 'UNEXPECTED_FRAME - type 3, all octets = <<"x">>', None),
        (raw_frame(1, 1, b"\0\0\0"), "FRAME_ERROR - type 1, all octets = <<0,0,0>>: unknown_frame", None),
        (raw_frame(1, 1, b"\0\x32\0\x0a\0\0\5ab"), "FRAME_ERROR - cannot decode <<0,0,5,97,98>>", Queue.Declare),
        (raw_frame(1, 0, b"\0\x0a\0\x32\0"), "INTERNAL_ERROR", None),
    ],
)
def test_a_frame_out_of_place_ends_the_connection_and_nothing_else(
    harness: BrokerHarness, client: Client, data: bytes, text: str, method: type[Frame] | None
) -> None:
    """RabbitMQ: FRM-3 to FRM-18. What follows in the same piece is not carried out."""
    peer = harness.connect()
    client.declare("precious")
    peer.send_bytes(data + encode_method(1, make(Queue.Delete, queue="precious")))
    peer.expect_connection_close(text, method)
    assert client.has_queue("precious")


def test_what_came_before_the_bad_frame_is_carried_out(client: Client, other: Client) -> None:
    client.declare("q")
    client.send_bytes(client.published("", "q", b"x") * 3 + body(b"out of place"))
    assert other.drain("q") == [b"x"] * 3


def test_channels_have_their_contents_apart(client: Client) -> None:
    """Frames of other channels may come in between."""
    client.declare("q")
    publish = client.published("", "q", b"0123")
    cut = len(publish) - len(body(b"0123"))
    client.send_bytes(publish[:cut])
    client.publish("", "q", b"between", channel=2)
    assert client.counts("q", channel=2) == (1, 0)
    client.send_bytes(publish[cut:])
    assert client.drain("q") == [b"between", b"0123"]


class TestMessageSize:
    """RabbitMQ: CT-11, with the default of 4.0, 16 MiB."""

    def send_content(self, client: Client, body_size: int) -> None:
        """In frames of full size, one by one."""
        client.send_bytes(PUBLISH + header(body_size))
        piece = bytes(constants.FRAME_MAX - constants.FRAME_OVERHEAD)
        while body_size > 0:
            client.send_bytes(body(piece[:body_size]))
            body_size -= len(piece)

    def test_exactly_the_limit_is_accepted(self, client: Client) -> None:
        client.declare("q")
        self.send_content(client, 16 * 1024 * 1024)
        assert client.counts("q") == (1, 0)

    def test_one_byte_more_closes_the_channel_when_the_body_is_complete(self, client: Client) -> None:
        client.declare("q")
        self.send_content(client, 16 * 1024 * 1024 + 1)
        client.expect_channel_close(
            "PRECONDITION_FAILED - message size 16777217 is larger than configured max size 16777216", Basic.Publish
        )
        client.open(1)
        assert client.counts("q") == (0, 0)


class TestVanishing:
    """RabbitMQ: CLS-3, CLS-4."""

    @pytest.mark.parametrize("cut", range(1, 60, 7))
    def test_in_the_middle_of_a_content(self, harness: BrokerHarness, client: Client, cut: int) -> None:
        client.declare("q")
        peer = harness.connect()
        peer.send_bytes(peer.published("", "q", b"x")[:-cut])
        peer.lose()
        assert client.counts("q") == (0, 0)

    def test_with_everything_it_held(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("q")
        for number in range(5):
            client.publish("", "q", b"%d" % number)
        peer = harness.connect(channels=(1, 2, 3))
        peer.declare("theirs", exclusive=True)
        peer.call(make(Tx.Select), Tx.SelectOk, channel=3)
        peer.get("q", no_ack=False, channel=3)
        peer.ack(1, channel=3)
        peer.publish("", "q", b"never committed", channel=3)
        peer.qos(2)
        peer.consume("q")
        peer.deliveries()
        peer.get("q", no_ack=False, channel=2)
        peer.consume("theirs", exclusive=True, channel=2)
        peer.lose()
        assert client.drain("q") == [b"0", b"1", b"2", b"3", b"4"]
        assert not client.has_queue("theirs")

    def test_with_confirms_still_to_be_told(self, client: Client, other: Client) -> None:
        client.declare("q")
        client.call(make(Confirm.Select), Confirm.SelectOk)
        client.publish("", "q", b"x")
        client.lose()
        assert other.drain("q") == [b"x"]

    def test_while_a_backlog_is_on_its_way(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("q")
        client.send_bytes(client.published("", "q", b"x") * 1000)
        peer = harness.connect()
        peer.consume("q")
        peer.lose()
        harness.run_work()
        assert client.counts("q") == (1000, 0)

    def test_while_the_broker_closes(self, harness: BrokerHarness, client: Client) -> None:
        peer = harness.connect()
        peer.send(make(Channel.Open))
        peer.lose()
        assert client.declare("q") == "q"


# What hypothesis plays with. A name of another client's queue is among the names, too.
NAMES = ["", "q", "mine", "amq.fanout", "amq.rabbitmq.reply-to", "\udcff", "x" * 255]
numbers = st.integers(0, 3)


@st.composite
def any_method(draw: st.DrawFn) -> Frame:
    """Any method of any class, with names and numbers that may well mean something."""
    cls = draw(st.sampled_from([cls for cls in METHODS.values() if cls is not Connection.Close]))
    fields: dict[str, object] = {}
    for name in cls.__slots__:
        kind = cls.amqp_type(name)
        if kind == "bit":
            fields[name] = draw(st.booleans())
        elif kind in ("short", "long", "longlong", "octet"):
            fields[name] = draw(numbers)
        elif kind in ("shortstr", "longstr"):
            fields[name] = draw(st.sampled_from([*NAMES, "direct", "topic"]))
    return make(cls, **fields)


@st.composite
def any_frame(draw: st.DrawFn) -> bytes:
    channel = draw(numbers)
    if draw(st.booleans()):
        method = draw(any_method())
        content = b""
        if isinstance(method, Basic.Publish) and draw(st.booleans()):
            octets = draw(st.binary(max_size=5))
            content = raw_frame(2, channel, header_payload(draw(any_properties), len(octets)))
            content += raw_frame(3, channel, octets) if octets else b""
        return encode_method(channel, method) + content
    kind = draw(st.sampled_from([1, 2, 3, 8, 5]))
    class_id, method_id = draw(st.sampled_from([method_ids(cls) for cls in METHODS.values()]))
    ids = class_id.to_bytes(2, "big") + method_id.to_bytes(2, "big")
    return raw_frame(kind, channel, draw(st.sampled_from([b"", ids])) + draw(st.binary(max_size=20)))


any_properties = st.one_of(
    st.just(b"\0\0"),
    st.binary(max_size=12),
    st.sampled_from([b"\x02\x00\x15amq.rabbitmq.reply-to", b"\x20\x00\x00\x00\x00\x0c\x02CCA\x00\x00\x00\x04S\0\0\0"]),
)

opened = st.sampled_from([(), (1,), (1, 2)])
pieces = st.one_of(
    st.lists(st.binary(max_size=40), max_size=8),
    st.lists(any_frame(), max_size=25),
    st.lists(st.one_of(any_frame(), any_frame(), st.binary(max_size=10)), max_size=25),
)


class World:
    """A broker with a client that has an exclusive queue, and a hostile peer."""

    def __init__(self) -> None:
        self.harness = BrokerHarness()
        self.client = self.harness.connect()
        self.client.declare("mine", exclusive=True)
        for number in range(3):
            self.client.publish("", "mine", b"%d" % number)
        self.client.get("mine", no_ack=False)

    def check(self) -> None:
        """The queue holds what it held, and more only if the peer published to it; the client is served as before."""
        self.client.nack(0, multiple=True)
        assert self.client.drain("mine")[:3] == [b"0", b"1", b"2"]
        self.client.declare("new")
        self.client.publish("", "new", b"x")
        assert b"x" in self.client.drain("new")


def feed_raw(client: Client, data: list[bytes]) -> None:
    for piece in data:
        client.send_bytes(piece)
        client.received_bytes()


@settings(max_examples=300, deadline=None, database=None)
@given(data=pieces, channels=opened)
def test_any_bytes_after_the_handshake_harm_nobody_else(data: list[bytes], channels: tuple[int, ...]) -> None:
    """Nothing is raised out of receive(), and other connections have what they had."""
    world = World()
    peer = world.harness.connect(channels=channels)
    feed_raw(peer, data)
    world.harness.run_work()
    peer.lose()
    world.harness.run_work()
    world.check()


@settings(max_examples=100, deadline=None, database=None)
@given(data=pieces, handshake=st.sampled_from([0, 1, 2, 3]))
def test_any_bytes_in_the_handshake_harm_nobody_else(data: list[bytes], handshake: int) -> None:
    world = World()
    peer = world.harness.tcp()
    steps: list[Callable[[], object]] = [peer.send_header, peer.start_ok, peer.tune_ok]
    for step in steps[:handshake]:
        step()
        peer.received_bytes()
    feed_raw(peer, data)
    peer.lose()
    world.check()


SESSION = [
    encode_method(1, make(Queue.Declare, queue="q")),
    encode_method(1, make(Queue.Bind, queue="q", exchange="amq.fanout")),
    encode_method(1, make(Basic.Qos, prefetch_count=2)),
    encode_method(1, make(Basic.Consume, queue="q", consumer_tag="tag")),
    PUBLISH + header(3) + body(b"abc"),
    PUBLISH + header(3) + body(b"abc"),
    encode_method(1, make(Basic.Ack, delivery_tag=1)),
    encode_method(1, make(Basic.Nack, delivery_tag=2, requeue=True)),
    encode_method(1, make(Confirm.Select)),
    encode_method(1, make(Basic.Publish, exchange="amq.fanout", mandatory=True)) + header(0),
    encode_method(1, make(Basic.Cancel, consumer_tag="tag")),
    encode_method(1, make(Queue.Delete, queue="q")),
]


@settings(max_examples=300, deadline=None, database=None)
@given(
    damages=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255), st.sampled_from("rid")), max_size=4),
    cuts=st.lists(st.integers(1, 500), max_size=6),
)
def test_a_damaged_session_harms_nobody_else(damages: list[tuple[int, int, str]], cuts: list[int]) -> None:
    """A session with bytes replaced, inserted and deleted, in pieces of any size."""
    data = bytearray(b"".join(SESSION))
    for place, octet, kind in damages:
        at = place % len(data)
        if kind == "r":
            data[at] = octet
        elif kind == "i":
            data.insert(at, octet)
        else:
            del data[at]
    world = World()
    peer = world.harness.connect()
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    feed_raw(peer, [bytes(data[start:end]) for start, end in itertools.pairwise(places)])
    peer.lose()
    world.harness.run_work()
    world.check()


def test_an_undamaged_session_is_answered_in_full(harness: BrokerHarness) -> None:
    """So that the test above damages something that works."""
    peer = harness.connect()
    peer.send_bytes(b"".join(SESSION))
    answers = {type(it.method) for it in peer.received()}
    assert {Queue.DeclareOk, Basic.Deliver, Confirm.SelectOk, Basic.Ack, Queue.DeleteOk} <= answers
    assert peer.connection.drop_after_seconds is None
