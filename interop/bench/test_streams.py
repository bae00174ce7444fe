"""What the benchmarks send, and how they count what comes: the bytes, against an independent codec and every harm."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from pamqp import body, commands, frame, header

from interop.bench import wire
from interop.bench.counting import RECEIVE_SIZE, ConfirmCounter, DeliveryCounter, WrongStream, acks_due
from interop.bench.standin import DeliveryBlock
from interop.bench.stream import CONSUMER_TAG, Stream

NAME = "bench-0123abcd"
QUEUE = "bench-0123abcd-0"
BODY_SIZE = 16
STREAM = Stream(body_size=BODY_SIZE)
STREAMS = {
    "transient": Stream(),
    "persistent": Stream(is_durable=True),
    "fanout": Stream(exchange_type="fanout", queues=3),
    "topic": Stream(exchange_type="topic", bindings=1000),
    "headers": Stream(exchange_type="headers", bindings=100),
}


def deliveries(count: int) -> list[bytes]:
    """What a right broker sends for the first `count` publishes."""
    return [STREAM.delivery(NAME, number) for number in range(count)]


def count(stream: bytes, piece_size: int) -> int:
    """How many deliveries a counter finds in a stream cut into pieces."""
    counter = DeliveryCounter(CONSUMER_TAG, lambda number: STREAM.delivery(NAME, number))
    for start in range(0, len(stream), piece_size):
        piece = stream[start : start + piece_size]
        counter.feed(bytearray(piece + b"\xff" * 300), len(piece))  # what is behind it is left from an earlier piece
    return counter.messages


# -- frames, against an independent codec


def test_a_publish_is_what_pamqp_reads() -> None:
    data = wire.publish(QUEUE, wire.body(7, BODY_SIZE))
    size, channel_number, method = frame.unmarshal(data)
    assert isinstance(method, commands.Basic.Publish)
    assert (channel_number, method.exchange, method.routing_key, method.mandatory) == (1, "", QUEUE, False)
    header_size, _, content_header = frame.unmarshal(data[size:])
    assert isinstance(content_header, header.ContentHeader)
    assert content_header.body_size == BODY_SIZE
    assert content_header.properties.delivery_mode is None
    content_body = frame.unmarshal(data[size + header_size :])[2]
    assert isinstance(content_body, body.ContentBody)
    assert content_body.value == b"leveret-leveret\x07"


def test_a_delivery_is_what_pamqp_writes() -> None:
    method = commands.Basic.Deliver(CONSUMER_TAG, 0x0102030405, False, "", QUEUE)
    assert wire.delivery(CONSUMER_TAG, 0x0102030405, QUEUE, b"x").startswith(frame.marshal(method, 1))


@pytest.mark.parametrize("multiple", [False, True])
def test_an_ack_is_what_pamqp_writes(multiple: bool) -> None:
    assert wire.ack(300, multiple=multiple) == frame.marshal(commands.Basic.Ack(300, multiple), 1)


@pytest.mark.parametrize("size", [1, 7, 8, 9, 16, 1000])
def test_a_body_has_its_size_and_ends_in_its_number(size: int) -> None:
    assert len(wire.body(258, size)) == size
    assert wire.body(258, size)[-1] == 2


@pytest.mark.parametrize(("first", "length"), [(0, 1), (0, 900), (255, 900), (256, 3), (100_000, 900)])
def test_a_run_of_a_block_is_the_publishes_of_these_numbers(first: int, length: int) -> None:
    block = STREAM.publishes(NAME, 900)
    numbers = range(first, first + length)
    assert bytes(block.run(first, length)) == b"".join(STREAM.publish(NAME, number) for number in numbers)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (wire.TRANSIENT, {}),
        (wire.PERSISTENT, {"delivery_mode": 2}),
        (wire.with_headers({"sensor": "17", "kind": "reading"}), {"headers": {"sensor": "17", "kind": "reading"}}),
        (wire.with_reply_to("amq.rabbitmq.reply-to"), {"reply_to": "amq.rabbitmq.reply-to"}),
        (wire.with_expiration(150), {"expiration": "150"}),
    ],
)
def test_properties_are_what_pamqp_reads(properties: bytes, expected: dict[str, object]) -> None:
    content_header = frame.unmarshal(wire.content(b"x", properties))[2]
    assert isinstance(content_header, header.ContentHeader)
    assert {name: value for name, value in dict(content_header.properties).items() if value} == expected


def test_a_large_body_is_frames_that_pamqp_reads() -> None:
    data = wire.content(body_bytes := wire.body(3, 1024 * 1024))
    parts = []
    while data:
        size, _, part = frame.unmarshal(data)
        assert size <= wire.FRAME_MAX
        data = data[size:]
        parts.append(part)
    assert b"".join(part.value for part in parts if isinstance(part, body.ContentBody)) == body_bytes


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_the_messages_of_a_stream_have_equal_sizes_and_its_bindings_match(stream: Stream) -> None:
    publishes = [stream.publish(NAME, number) for number in range(300)]
    assert {len(data) for data in publishes} == {len(publishes[0])}
    size, _, method = frame.unmarshal(publishes[299])
    assert isinstance(method, commands.Basic.Publish)
    assert method.exchange == (NAME if stream.exchange_type else "")
    if stream.exchange_type == "topic":
        words = method.routing_key.split(".")
        pattern = stream.binding(int(words[1]))[0].split(".")
        assert all(one in ("*", word) for one, word in zip(pattern, words, strict=True))
        assert int(words[1]) < stream.bindings
    if stream.exchange_type == "headers":
        content_header = frame.unmarshal(publishes[299][size:])[2]
        assert isinstance(content_header, header.ContentHeader)
        headers = content_header.properties.headers or {}
        assert {"x-match": "all", **headers} in [stream.binding(index)[1] for index in range(stream.bindings)]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://127.0.0.1", ("127.0.0.1", 5672, "guest", "guest", "/")),
        ("amqp://a%40b:c%2Fd@host:77/%2F", ("host", 77, "a@b", "c/d", "/")),
        ("amqp://u:p@[::1]:5673/name", ("::1", 5673, "u", "p", "name")),
    ],
)
def test_a_url_says_where_and_as_whom(url: str, expected: tuple[object, ...]) -> None:
    assert dataclasses.astuple(wire.Address.parse(url)) == expected


# -- counting deliveries


@pytest.mark.parametrize("piece_size", [1, 7, 91, 1000, 4096, 60_000])
def test_deliveries_are_counted_wherever_the_pieces_end(piece_size: int) -> None:
    assert count(b"".join(deliveries(300)), piece_size) == 300


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_deliveries_of_any_stream_are_counted(stream: Stream) -> None:
    counter = DeliveryCounter(CONSUMER_TAG, lambda number: stream.delivery(NAME, number))
    data = bytearray().join(stream.delivery(NAME, number) for number in range(600))
    counter.feed(data, len(data))
    assert counter.messages == 600


def test_a_delivery_of_which_an_octet_is_missing_is_not_counted() -> None:
    assert count(b"".join(deliveries(5))[:-1], 50) == 4


def test_the_largest_piece_can_be_counted_at_once() -> None:
    smallest = wire.delivery("", 1, "", b"x")
    counter = DeliveryCounter("", lambda number: wire.delivery("", number + 1, "", wire.body(number, 1)))
    messages = RECEIVE_SIZE // len(smallest)
    stream = bytearray().join(wire.delivery("", n + 1, "", wire.body(n, 1)) for n in range(messages))
    counter.feed(stream, len(stream))
    assert counter.messages == messages


def lost(stream: list[bytes]) -> list[bytes]:
    return stream[:300] + stream[301:]


def doubled(stream: list[bytes]) -> list[bytes]:
    return [*stream[:301], *stream[300:]]


def lost_but_tags_go_on(stream: list[bytes]) -> list[bytes]:
    return [wire.delivery(CONSUMER_TAG, n + 1, QUEUE, wire.body(n + (n >= 300), BODY_SIZE)) for n in range(len(stream))]


def swapped(stream: list[bytes]) -> list[bytes]:
    return [*stream[:300], stream[301], stream[300], *stream[302:]]


def foreign_frame(stream: list[bytes]) -> list[bytes]:
    return [*stream[:300], wire.frame(8, 0, b""), *stream[300:]]


def a_close(stream: list[bytes]) -> list[bytes]:
    return [*stream[:300], wire.method_frame(1, wire.CHANNEL_CLOSE, b"\x01\x96\x04gone\x00\x00\x00\x00")]


Harm = Callable[[list[bytes]], list[bytes]]
HARMS: list[Harm] = [lost, doubled, lost_but_tags_go_on, swapped, foreign_frame, a_close]


@pytest.mark.parametrize("piece_size", [13, 1000, 60_000])
@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_a_stream_that_is_not_what_was_published_is_refused(harm: Harm, piece_size: int) -> None:
    stream = b"".join(harm(deliveries(600)))
    with pytest.raises(WrongStream):
        count(stream, piece_size)


def test_other_content_is_found_in_the_message_that_is_compared_whole() -> None:
    stream = b"".join(deliveries(10)).replace(b"leveret-leveret", b"leveret-Leveret")
    with pytest.raises(WrongStream, match="content at delivery 0"):
        count(stream, 60_000)


def test_the_stand_ins_deliveries_are_counted() -> None:
    block = DeliveryBlock(STREAM, NAME)
    stream = b"".join(bytes(part) for size in (1, 254, 1, 256, 3, 70_000) for part in block.take(size))
    assert stream == b"".join(deliveries(70_515))


# -- counting confirms


def confirmed(*acks: tuple[int, bool], published: int = 10) -> int:
    counter = ConfirmCounter()
    stream = b"".join(wire.ack(tag, multiple=multiple) for tag, multiple in acks)
    for start in range(0, len(stream), 5):
        counter.feed(stream[start : start + 5], published)
    return counter.messages


@pytest.mark.parametrize(
    ("acks", "messages"),
    [
        ([], 0),
        ([(1, False), (2, False)], 2),
        ([(4, True)], 4),
        ([(3, False), (1, False)], 2),
        ([(3, False), (1, False), (2, False)], 3),
        ([(2, False), (5, False), (4, True)], 5),
        ([(9, False), (4, True), (10, True)], 10),
    ],
)
def test_confirms_are_counted_in_any_order(acks: list[tuple[int, bool]], messages: int) -> None:
    assert confirmed(*acks) == messages


@pytest.mark.parametrize(
    "acks",
    [
        [(1, False), (1, False)],
        [(3, False), (3, False)],
        [(4, True), (2, False)],
        [(4, True), (4, True)],
        [(11, False)],
        [(11, True)],
        [(0, True)],
    ],
)
def test_a_confirm_of_what_is_confirmed_or_was_never_published_is_refused(acks: list[tuple[int, bool]]) -> None:
    with pytest.raises(WrongStream):
        confirmed(*acks)


def test_a_nack_is_no_confirm() -> None:
    nack = wire.method_frame(wire.CHANNEL_NUMBER, (60, 120), (1).to_bytes(8, "big") + b"\x02")
    with pytest.raises(WrongStream):
        ConfirmCounter().feed(nack, 10)


@pytest.mark.parametrize(
    ("before", "now", "due"),
    [(0, 49, []), (0, 50, [50]), (49, 50, [50]), (50, 99, []), (50, 100, [100]), (20, 151, [50, 100, 150]), (7, 7, [])],
)
def test_each_fiftieth_delivery_is_acked_once(before: int, now: int, due: list[int]) -> None:
    assert acks_due(before, now, 50) == due
