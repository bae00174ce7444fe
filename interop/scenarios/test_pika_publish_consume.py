"""pika, blocking: messages go in and come out, whole and in order."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.scenarios.blocking import Consumer, acknowledging, drain, publish, wait_for_ready_count
from interop.scenarios.conftest import Connect


def test_bound_queue_gets_what_is_published_and_ack_empties_it(
    channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    exchange, queue = unique("orders"), unique("billing")
    channel.exchange_declare(exchange, "direct", durable=True)
    channel.queue_declare(queue, durable=True)
    channel.queue_bind(queue, exchange, routing_key="new")
    channel.basic_publish(exchange, "new", b"order 1", pika.BasicProperties(delivery_mode=2))

    consumer = Consumer(channel, queue, on_delivery=acknowledging(channel))
    [delivery] = consumer.wait(1)

    assert (delivery.body, delivery.method.exchange, delivery.method.routing_key) == (b"order 1", exchange, "new")
    assert (delivery.method.delivery_tag, delivery.method.redelivered) == (1, False)
    assert delivery.method.consumer_tag == consumer.tag
    channel.basic_cancel(consumer.tag)
    assert channel.queue_delete(queue).method.message_count == 0


def test_get_takes_the_oldest_message_and_tells_how_many_are_left(
    channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("inbox")
    channel.queue_declare(queue)
    assert channel.basic_get(queue) == (None, None, None)
    publish(channel, queue, b"a", b"b", b"c")

    method, _, body = channel.basic_get(queue)

    assert (body, method.message_count, method.exchange, method.routing_key) == (b"a", 2, "", queue)
    channel.basic_ack(method.delivery_tag)
    assert drain(channel, queue) == [b"b", b"c"]


def test_all_properties_and_header_types_arrive_as_sent(
    channel: BlockingChannel, unique: Callable[[str], str], broker_url: str
) -> None:
    queue = unique("properties")
    channel.queue_declare(queue)
    headers = {
        "text": "größe",
        "truth": True,
        "small": 7,
        "negative": -(2**40),
        "price": decimal.Decimal("12.95"),
        "moment": datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC),
        "octets": b"\x00\xff",
        "nothing": None,
        "nested": {"list": [1, "two", {"three": 3}]},
    }
    sent = pika.BasicProperties(
        content_type="application/json",
        content_encoding="utf-8",
        headers=headers,
        delivery_mode=1,
        priority=5,
        correlation_id="c-1",
        reply_to="answers",
        expiration="60000",
        message_id="m-1",
        timestamp=1_700_000_000,
        type="order",
        user_id=pika.URLParameters(broker_url).credentials.username,
        app_id="shop",
        cluster_id="here",
    )
    channel.basic_publish("", queue, b"{}", sent)

    _, received, _ = channel.basic_get(queue, auto_ack=True)

    assert received == sent


@pytest.mark.parametrize("frame_max", [4096, 131072])
@pytest.mark.parametrize("off_by", [-1, 0, 1])
def test_bodies_around_one_frame_arrive_whole(
    connect: Connect, unique: Callable[[str], str], frame_max: int, off_by: int
) -> None:
    """A body frame carries frame_max - 8 bytes; one byte more makes a second frame, an exact multiple no empty one."""
    channel = connect(frame_max=frame_max).channel()
    queue = unique("frames")
    channel.queue_declare(queue)
    body = bytes(range(256)) * (2 * frame_max // 256)
    body = body[: 2 * (frame_max - 8) + off_by]

    channel.basic_publish("", queue, body)

    assert drain(channel, queue) == [body]


def test_empty_body_arrives_as_a_message(channel: BlockingChannel, unique: Callable[[str], str]) -> None:
    queue = unique("empty")
    channel.queue_declare(queue)
    publish(channel, queue, b"", b"after")
    consumer = Consumer(channel, queue, auto_ack=True)
    consumer.wait(2)
    assert consumer.bodies == [b"", b"after"]


def test_a_mebibyte_of_body_arrives_among_small_ones(channel: BlockingChannel, unique: Callable[[str], str]) -> None:
    queue = unique("large")
    channel.queue_declare(queue)
    large = bytes(range(256)) * 4096
    publish(channel, queue, b"before", large, b"after")
    consumer = Consumer(channel, queue, on_delivery=acknowledging(channel))
    consumer.wait(3)
    assert consumer.bodies == [b"before", large, b"after"]


def test_ten_thousand_messages_come_in_the_order_they_were_published(
    connect: Connect, unique: Callable[[str], str]
) -> None:
    """One publisher, one consumer with prefetch 100 that acknowledges each: the order of a single queue is total."""
    count = 10_000
    queue = unique("ordered")
    publisher, receiver = connect().channel(), connect().channel()
    publisher.queue_declare(queue)
    receiver.basic_qos(prefetch_count=100)
    consumer = Consumer(receiver, queue, on_delivery=acknowledging(receiver))

    publish(publisher, queue, *(b"%d" % number for number in range(count)))

    deliveries = consumer.wait(count)
    assert [int(body) for body in consumer.bodies] == list(range(count))
    assert [delivery.method.delivery_tag for delivery in deliveries] == list(range(1, count + 1))
    assert not any(delivery.method.redelivered for delivery in deliveries)


def test_consume_generator_ends_when_nothing_comes_and_requeues_what_it_held(
    channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("generator")
    channel.queue_declare(queue)
    publish(channel, queue, b"1", b"2", b"3")
    taken = []
    for method, _, body in channel.consume(queue, inactivity_timeout=5):
        taken.append(body)
        channel.basic_ack(method.delivery_tag)
        if body == b"2":
            break
    channel.cancel()
    assert taken == [b"1", b"2"]
    assert drain(channel, queue) == [b"3"]


def test_many_channels_of_one_connection_keep_apart(
    connection: pika.BlockingConnection, unique: Callable[[str], str]
) -> None:
    """Fifty channels, each with a queue of its own: nobody gets another's message, delivery tags count per channel."""
    consumers = []
    for number in range(50):
        channel = connection.channel()
        queue = unique(f"channel-{number}")
        channel.queue_declare(queue, exclusive=True)
        consumers.append((queue, Consumer(channel, queue, on_delivery=acknowledging(channel))))
    sender = connection.channel()
    for round_number in range(3):
        for queue, _ in consumers:
            publish(sender, queue, f"{queue} {round_number}".encode())
    for queue, consumer in consumers:
        deliveries = consumer.wait(3)
        assert consumer.bodies == [f"{queue} {number}".encode() for number in range(3)]
        assert [delivery.method.delivery_tag for delivery in deliveries] == [1, 2, 3]


def test_a_closed_channel_leaves_its_number_to_the_next(
    connection: pika.BlockingConnection, unique: Callable[[str], str]
) -> None:
    """Opening and closing channels in a row is what careless programs do for each message."""
    queue = unique("churn")
    connection.channel().queue_declare(queue)
    for number in range(30):
        channel = connection.channel(7)
        publish(channel, queue, b"%d" % number)
        channel.close()
    reader = connection.channel()
    wait_for_ready_count(reader, queue, 30)
    assert drain(reader, queue) == [b"%d" % number for number in range(30)]


def test_purge_removes_ready_messages_and_counts_them(channel: BlockingChannel, unique: Callable[[str], str]) -> None:
    queue = unique("purged")
    channel.queue_declare(queue)
    publish(channel, queue, b"1", b"2", b"3")
    method, _, _ = channel.basic_get(queue)
    assert channel.queue_purge(queue).method.message_count == 2
    channel.basic_nack(method.delivery_tag, requeue=True)
    assert drain(channel, queue) == [b"1"]
