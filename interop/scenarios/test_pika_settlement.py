"""pika, blocking: ack, nack, reject, recover, and what comes back when a consumer is lost."""

from __future__ import annotations

from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.scenarios.blocking import Consumer, drain, publish, ready_count, wait_for_ready_count
from interop.scenarios.conftest import Connect
from interop.scenarios.cuttable_proxy import CuttableProxy


@pytest.fixture
def queue(channel: BlockingChannel, unique: Callable[[str], str]) -> str:
    """A queue holding the messages 0 to 5."""
    name = unique("tasks")
    channel.queue_declare(name)
    publish(channel, name, *(b"%d" % number for number in range(6)))
    return name


def take(channel: BlockingChannel, queue: str, count: int) -> list[int]:
    """Get `count` messages without settling them. Returns their delivery tags."""
    return [channel.basic_get(queue)[0].delivery_tag for _ in range(count)]


def test_ack_multiple_settles_all_up_to_the_tag(channel: BlockingChannel, queue: str) -> None:
    tags = take(channel, queue, 4)
    channel.basic_ack(tags[2], multiple=True)
    channel.basic_recover(requeue=True)
    assert drain(channel, queue) == [b"3", b"4", b"5"]


def test_ack_of_tag_zero_multiple_settles_everything(channel: BlockingChannel, queue: str) -> None:
    take(channel, queue, 6)
    channel.basic_ack(0, multiple=True)
    channel.basic_recover(requeue=True)
    assert drain(channel, queue) == []


def test_nack_puts_a_message_back_at_its_place_flagged_redelivered(channel: BlockingChannel, queue: str) -> None:
    tags = take(channel, queue, 4)
    channel.basic_nack(tags[1], requeue=True)
    method, _, body = channel.basic_get(queue, auto_ack=True)
    assert (body, method.redelivered) == (b"1", True)
    assert drain(channel, queue) == [b"4", b"5"]


def test_rejecting_in_reverse_restores_the_order(channel: BlockingChannel, queue: str) -> None:
    for tag in reversed(take(channel, queue, 6)):
        channel.basic_reject(tag, requeue=True)
    assert drain(channel, queue) == [b"%d" % number for number in range(6)]


def test_nack_multiple_without_requeue_drops_the_messages(channel: BlockingChannel, queue: str) -> None:
    tags = take(channel, queue, 4)
    channel.basic_nack(tags[-1], multiple=True, requeue=False)
    assert drain(channel, queue) == [b"4", b"5"]


def test_rejected_messages_go_to_the_dead_letter_exchange(
    channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    work, graveyard = unique("work"), unique("graveyard")
    channel.queue_declare(graveyard)
    channel.queue_declare(work, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard})
    publish(channel, work, b"poison")
    [tag] = take(channel, work, 1)
    channel.basic_reject(tag, requeue=False)

    consumer = Consumer(channel, graveyard, auto_ack=True)
    [delivery] = consumer.wait(1)

    [death] = delivery.properties.headers["x-death"]
    assert (delivery.body, death["queue"], death["reason"], death["count"]) == (b"poison", work, "rejected", 1)


def test_recover_redelivers_everything_outstanding_with_new_tags(channel: BlockingChannel, queue: str) -> None:
    consumer = Consumer(channel, queue)
    consumer.wait(6)
    channel.basic_ack(consumer.deliveries[0].method.delivery_tag)
    channel.basic_recover(requeue=True)
    again = consumer.wait(11)[6:]
    assert [delivery.body for delivery in again] == [b"1", b"2", b"3", b"4", b"5"]
    assert [delivery.method.delivery_tag for delivery in again] == [7, 8, 9, 10, 11]
    assert all(delivery.method.redelivered for delivery in again)


@pytest.mark.parametrize("settle", ["basic_ack", "basic_nack", "basic_reject"])
def test_settling_twice_closes_the_channel_with_precondition_failed(
    connection: pika.BlockingConnection, channel: BlockingChannel, queue: str, settle: str
) -> None:
    [tag] = take(channel, queue, 1)
    getattr(channel, settle)(tag)
    getattr(channel, settle)(tag)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        channel.queue_declare(queue, passive=True)
    assert caught.value.reply_code == 406
    assert caught.value.reply_text == "PRECONDITION_FAILED - unknown delivery tag 1"
    assert connection.is_open


def test_closing_a_channel_requeues_what_it_held(
    connection: pika.BlockingConnection, channel: BlockingChannel, queue: str
) -> None:
    other = connection.channel()
    take(other, queue, 3)
    other.close()
    assert ready_count(channel, queue) == 6
    method, _, body = channel.basic_get(queue)
    assert (body, method.redelivered) == (b"0", True)


def test_closing_a_connection_requeues_what_it_held(connect: Connect, channel: BlockingChannel, queue: str) -> None:
    other = connect()
    take(other.channel(), queue, 3)
    other.close()
    assert ready_count(channel, queue) == 6


def test_messages_of_a_lost_connection_are_redelivered_in_order(
    proxy: CuttableProxy, connect: Connect, channel: BlockingChannel, queue: str
) -> None:
    """A worker that holds four messages is cut off: its successor gets those four again, in order, and the others."""
    lost = connect(url=proxy.url)
    worker_channel = lost.channel()
    worker_channel.basic_qos(prefetch_count=4)
    worker = Consumer(worker_channel, queue)
    worker.wait(4)
    worker_channel.basic_ack(worker.deliveries[1].method.delivery_tag)
    worker.wait(5)  # 4 came in place of 1: the ack has arrived

    proxy.cut()
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        lost.process_data_events(10)

    successor = Consumer(channel, queue)
    deliveries = successor.wait(5)
    assert sorted(successor.bodies) == [b"0", b"2", b"3", b"4", b"5"]
    returned = [delivery for delivery in deliveries if delivery.method.redelivered]
    assert [delivery.body for delivery in returned] == [b"0", b"2", b"3", b"4"]


def test_messages_of_a_lost_connection_come_before_those_never_delivered(
    proxy: CuttableProxy, connect: Connect, channel: BlockingChannel, queue: str
) -> None:
    """Seen without a waiting consumer: once all are back the queue is as it was before."""
    lost = connect(url=proxy.url)
    take(lost.channel(), queue, 4)
    proxy.cut()
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        lost.process_data_events(10)
    wait_for_ready_count(channel, queue, 6)
    assert drain(channel, queue) == [b"%d" % number for number in range(6)]
