"""pika, blocking: the exchange types that are plugins in RabbitMQ; `interop.rabbitmq` enables them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.scenarios.blocking import Consumer, drain

KEYS = [f"customer-{number}" for number in range(300)]
Bind = Callable[..., str]


@pytest.fixture
def exchange(unique: Callable[[str], str]) -> str:
    """A name for the exchange under test."""
    return unique("exchange")


@pytest.fixture
def bind(channel: BlockingChannel, exchange: str) -> Bind:
    """`bind("1")` makes an exclusive queue bound with this key and returns its name."""

    def bind_queue(key: str = "", source: str = exchange) -> str:
        queue = str(channel.queue_declare("", exclusive=True).method.queue)
        channel.queue_bind(queue, source, key)
        return queue

    return bind_queue


def publish(channel: BlockingChannel, exchange: str, *keys: str, **properties: Any) -> None:
    for key in keys:
        channel.basic_publish(exchange, key, key.encode(), pika.BasicProperties(**properties), mandatory=True)


def test_consistent_hash_shares_keys_out_by_weight(channel: BlockingChannel, exchange: str, bind: Bind) -> None:
    channel.exchange_declare(exchange, "x-consistent-hash")
    queues = [bind("1"), bind("2"), bind("3")]
    publish(channel, exchange, *KEYS)
    shares = [drain(channel, queue) for queue in queues]
    assert sorted(body for share in shares for body in share) == sorted(key.encode() for key in KEYS)
    assert [len(share) for share in shares] == [pytest.approx(expected, abs=35) for expected in (50, 100, 150)]
    publish(channel, exchange, *KEYS)
    assert [drain(channel, queue) for queue in queues] == shares


def test_consistent_hash_of_a_header_keeps_the_messages_of_a_customer_together(
    channel: BlockingChannel, exchange: str, bind: Bind
) -> None:
    channel.exchange_declare(exchange, "x-consistent-hash", arguments={"hash-header": "customer"})
    queues = [bind("1") for _ in range(3)]
    for number in range(50):
        publish(channel, exchange, f"order-{number}", headers={"customer": "same"})
    assert sorted(len(drain(channel, queue)) for queue in queues) == [0, 0, 50]
    for customer in KEYS:
        publish(channel, exchange, "order", headers={"customer": customer})
    assert all(len(drain(channel, queue)) >= 50 for queue in queues)


def test_consistent_hash_takes_weights_only(
    connection: pika.BlockingConnection, channel: BlockingChannel, exchange: str, bind: Bind
) -> None:
    channel.exchange_declare(exchange, "x-consistent-hash")
    queue = bind("1")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        connection.channel().queue_bind(queue, exchange, "customer")
    assert caught.value.reply_code == 406
    assert caught.value.reply_text == 'PRECONDITION_FAILED - The binding key must be an integer: <<"customer">>'


def test_random_sends_each_message_to_one_queue(channel: BlockingChannel, exchange: str, bind: Bind) -> None:
    """300 messages that all miss one of three queues would be one case in 10^52."""
    channel.exchange_declare(exchange, "x-random")
    queues = [bind("some"), bind("keys"), bind("")]
    publish(channel, exchange, *KEYS)
    shares = [drain(channel, queue) for queue in queues]
    assert sorted(body for share in shares for body in share) == sorted(key.encode() for key in KEYS)
    assert all(shares)


def test_random_decides_anew_behind_another_exchange(
    channel: BlockingChannel, exchange: str, bind: Bind, unique: Callable[[str], str]
) -> None:
    channel.exchange_declare(exchange, "x-random")
    queues = [bind(), bind()]
    first = unique("first")
    channel.exchange_declare(first, "direct")
    channel.exchange_bind(exchange, first, "same key")
    publish(channel, first, *["same key"] * 100)
    counts = [len(drain(channel, queue)) for queue in queues]
    assert sum(counts) == 100
    assert all(counts)


def test_recent_history_greets_a_new_queue_with_the_last_messages(
    channel: BlockingChannel, exchange: str, bind: Bind
) -> None:
    channel.exchange_declare(exchange, "x-recent-history", arguments={"x-recent-history-length": 2})
    early = bind()
    publish(channel, exchange, "1", "2", "3")
    consumer = Consumer(channel, bind(), auto_ack=True)
    publish(channel, exchange, "4")
    assert [delivery.body for delivery in consumer.wait(3)] == [b"2", b"3", b"4"]
    assert [delivery.method.routing_key for delivery in consumer.deliveries] == ["2", "3", "4"]
    assert drain(channel, early) == [b"1", b"2", b"3", b"4"]


def test_recent_history_passes_on_but_does_not_keep_what_asks_for_that(
    channel: BlockingChannel, exchange: str, bind: Bind
) -> None:
    channel.exchange_declare(exchange, "x-recent-history")
    early = bind()
    publish(channel, exchange, "kept")
    publish(channel, exchange, "passed on", headers={"x-recent-history-no-store": True})
    consumer = Consumer(channel, bind(), auto_ack=True)
    assert [delivery.body for delivery in consumer.wait(1)] == [b"kept"]
    assert drain(channel, early) == [b"kept", b"passed on"]
    assert consumer.bodies_so_far() == [b"kept"]
