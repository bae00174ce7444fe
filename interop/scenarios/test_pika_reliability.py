"""pika, blocking: returns, publisher confirms, transactions."""

from __future__ import annotations

from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.scenarios.blocking import Delivery, drain, publish, ready_count, wait_until


@pytest.fixture
def queue(channel: BlockingChannel, unique: Callable[[str], str]) -> str:
    """An empty queue."""
    name = unique("ledger")
    channel.queue_declare(name)
    return name


def test_unroutable_mandatory_message_comes_back_whole(
    connection: pika.BlockingConnection, unique: Callable[[str], str]
) -> None:
    channel = connection.channel()
    returned: list[Delivery] = []
    channel.add_on_return_callback(lambda _, *parts: returned.append(Delivery(*parts)))
    key = unique("nobody")
    properties = pika.BasicProperties(message_id="m-1", headers={"a": 1})

    channel.basic_publish("amq.direct", key, b"bring it back", properties, mandatory=True)
    wait_until(connection, lambda: bool(returned))

    [(method, received, body)] = returned
    assert (method.reply_code, method.reply_text) == (312, "NO_ROUTE")
    assert (method.exchange, method.routing_key, received, body) == ("amq.direct", key, properties, b"bring it back")


def test_confirmed_publish_raises_when_a_mandatory_message_is_unroutable(
    channel: BlockingChannel, queue: str, unique: Callable[[str], str]
) -> None:
    with pytest.raises(pika.exceptions.UnroutableError) as caught:
        channel.basic_publish("", unique("nobody"), b"x", mandatory=True)
    assert [message.body for message in caught.value.messages] == [b"x"]
    channel.basic_publish("", queue, b"routable", mandatory=True)
    channel.basic_publish("", unique("nobody"), b"dropped, and confirmed")
    assert drain(channel, queue) == [b"routable"]


def test_confirmed_message_is_in_the_queue(channel: BlockingChannel, queue: str) -> None:
    for count in range(1, 21):
        publish(channel, queue, b"x")
        assert ready_count(channel, queue) == count


def test_persistent_message_to_a_durable_queue_is_confirmed(
    channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("durable")
    channel.queue_declare(queue, durable=True)
    channel.basic_publish("", queue, b"kept", pika.BasicProperties(delivery_mode=2), mandatory=True)
    assert drain(channel, queue) == [b"kept"]


def test_full_queue_that_rejects_publishes_nacks(channel: BlockingChannel, unique: Callable[[str], str]) -> None:
    queue = unique("full")
    channel.queue_declare(queue, arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
    publish(channel, queue, b"1", b"2")
    with pytest.raises(pika.exceptions.NackError):
        publish(channel, queue, b"3")
    assert drain(channel, queue) == [b"1", b"2"]
    publish(channel, queue, b"4")


def test_transaction_publishes_at_commit(
    connection: pika.BlockingConnection, channel: BlockingChannel, queue: str
) -> None:
    transaction = connection.channel()
    transaction.tx_select()
    publish(transaction, queue, b"1", b"2")
    assert ready_count(transaction, queue) == 0
    transaction.tx_commit()
    assert ready_count(channel, queue) == 2
    publish(transaction, queue, b"3")
    transaction.tx_rollback()
    transaction.tx_commit()
    assert drain(channel, queue) == [b"1", b"2"]


def test_transaction_acknowledges_at_commit(
    connection: pika.BlockingConnection, channel: BlockingChannel, queue: str
) -> None:
    """Consume, forward, acknowledge as one step; given up the first time, carried through the second time."""
    publish(channel, queue, b"work")
    transaction = connection.channel()
    transaction.tx_select()
    method, _, _ = transaction.basic_get(queue)
    transaction.basic_ack(method.delivery_tag)
    publish(transaction, queue, b"never seen")
    transaction.close()
    assert ready_count(channel, queue) == 1

    transaction = connection.channel()
    transaction.tx_select()
    method, _, body = transaction.basic_get(queue)
    assert (body, method.redelivered) == (b"work", True)
    transaction.basic_ack(method.delivery_tag)
    publish(transaction, queue, b"result")
    transaction.tx_commit()
    transaction.close()
    assert drain(channel, queue) == [b"result"]


def test_rollback_makes_an_acknowledged_message_outstanding_again(
    connection: pika.BlockingConnection, channel: BlockingChannel, queue: str
) -> None:
    publish(channel, queue, b"work")
    transaction = connection.channel()
    transaction.tx_select()
    method, _, _ = transaction.basic_get(queue)
    transaction.basic_ack(method.delivery_tag)
    transaction.tx_rollback()
    assert ready_count(channel, queue) == 0
    transaction.basic_nack(method.delivery_tag, requeue=True)
    transaction.tx_commit()
    assert drain(channel, queue) == [b"work"]


def test_unroutable_mandatory_message_is_returned_at_commit(
    connection: pika.BlockingConnection, unique: Callable[[str], str]
) -> None:
    transaction = connection.channel()
    transaction.tx_select()
    returned: list[bytes] = []
    transaction.add_on_return_callback(lambda *parts: returned.append(parts[-1]))
    transaction.basic_publish("", unique("nobody"), b"x", mandatory=True)
    transaction.exchange_declare("amq.direct", passive=True)
    connection.process_data_events(0)
    assert returned == []
    transaction.tx_commit()
    connection.process_data_events(0)
    assert returned == [b"x"]


def test_a_channel_is_transactional_or_confirming_but_not_both(connection: pika.BlockingConnection) -> None:
    confirming, transactional = connection.channel(), connection.channel()
    confirming.confirm_delivery()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        confirming.tx_select()
    assert caught.value.reply_text == "PRECONDITION_FAILED - cannot switch from confirm to tx mode"
    transactional.tx_select()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        transactional.confirm_delivery()
    assert caught.value.reply_text == "PRECONDITION_FAILED - cannot switch from tx to confirm mode"
