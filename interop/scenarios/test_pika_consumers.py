"""pika, blocking: who gets the next message. Prefetch, turns, priority, exclusive use, cancelling."""

from __future__ import annotations

from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.scenarios.blocking import Consumer, acknowledging, drain, publish, wait_until
from interop.scenarios.conftest import Connect


@pytest.fixture
def queue(channel: BlockingChannel, unique: Callable[[str], str]) -> str:
    """An empty queue."""
    name = unique("jobs")
    channel.queue_declare(name)
    return name


def test_two_consumers_take_strict_turns(
    connection: pika.BlockingConnection, channel: BlockingChannel, queue: str
) -> None:
    first, second = (Consumer(connection.channel(), queue, auto_ack=True) for _ in range(2))
    publish(channel, queue, *(b"%d" % number for number in range(10)))
    first.wait(5)
    second.wait(5)
    assert first.bodies == [b"0", b"2", b"4", b"6", b"8"]
    assert second.bodies == [b"1", b"3", b"5", b"7", b"9"]


def test_slow_worker_with_prefetch_one_does_not_hold_up_the_fast_one(
    connect: Connect, channel: BlockingChannel, queue: str
) -> None:
    """Fair dispatch: the slow one keeps its single message while the fast one works through all the others."""
    slow_channel, fast_channel = connect().channel(), connect().channel()
    slow_channel.basic_qos(prefetch_count=1)
    fast_channel.basic_qos(prefetch_count=1)
    slow = Consumer(slow_channel, queue)
    fast = Consumer(fast_channel, queue, on_delivery=acknowledging(fast_channel))

    publish(channel, queue, *(b"%d" % number for number in range(20)))

    fast.wait(19)
    assert slow.bodies_so_far() == [b"0"]
    assert fast.bodies == [b"%d" % number for number in range(1, 20)]


def test_prefetch_limits_each_consumer_and_an_ack_makes_room_for_one(channel: BlockingChannel, queue: str) -> None:
    channel.basic_qos(prefetch_count=2)
    first, second = Consumer(channel, queue), Consumer(channel, queue)
    publish(channel, queue, *(b"%d" % number for number in range(6)))
    assert (first.bodies_so_far(), second.bodies_so_far()) == ([b"0", b"2"], [b"1", b"3"])

    channel.basic_ack(second.deliveries[0].method.delivery_tag)

    second.wait(3)
    assert (first.bodies_so_far(), second.bodies) == ([b"0", b"2"], [b"1", b"3", b"4"])


def test_prefetch_of_the_whole_channel_is_shared_by_its_consumers(channel: BlockingChannel, queue: str) -> None:
    channel.basic_qos(prefetch_count=3, global_qos=True)
    consumers = [Consumer(channel, queue), Consumer(channel, queue)]
    publish(channel, queue, *(b"%d" % number for number in range(6)))
    assert sum(len(consumer.bodies_so_far()) for consumer in consumers) == 3


def test_messages_without_acknowledgement_ignore_prefetch(channel: BlockingChannel, queue: str) -> None:
    channel.basic_qos(prefetch_count=1)
    consumer = Consumer(channel, queue, auto_ack=True)
    publish(channel, queue, *(b"%d" % number for number in range(6)))
    assert len(consumer.wait(6)) == 6


def test_higher_priority_consumer_gets_everything_it_has_room_for(channel: BlockingChannel, queue: str) -> None:
    channel.basic_qos(prefetch_count=3)
    low = Consumer(channel, queue, arguments={"x-priority": -1})
    usual = Consumer(channel, queue)
    high = Consumer(channel, queue, arguments={"x-priority": 10})
    publish(channel, queue, *(b"%d" % number for number in range(8)))
    low.wait(2)
    assert high.bodies == [b"0", b"1", b"2"]
    assert usual.bodies == [b"3", b"4", b"5"]
    assert low.bodies == [b"6", b"7"]


def test_exclusive_consumer_keeps_others_out_until_it_is_cancelled(
    connect: Connect, channel: BlockingChannel, queue: str, vhost: str
) -> None:
    owner = Consumer(channel, queue, exclusive=True)
    other = connect()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        Consumer(other.channel(), queue)
    assert caught.value.reply_code == 403
    assert caught.value.reply_text == f"ACCESS_REFUSED - queue '{queue}' in vhost '{vhost}' in exclusive use"

    channel.basic_cancel(owner.tag)

    successor = Consumer(other.channel(), queue, auto_ack=True)
    publish(channel, queue, b"for the next")
    successor.wait(1)
    assert successor.bodies == [b"for the next"]


def test_exclusive_consumer_is_refused_while_another_consumes(
    connection: pika.BlockingConnection, channel: BlockingChannel, queue: str
) -> None:
    Consumer(channel, queue)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        Consumer(connection.channel(), queue, exclusive=True)
    assert caught.value.reply_code == 403


def test_single_active_consumer_hands_over_when_the_active_one_goes(
    connection: pika.BlockingConnection, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("single")
    channel.queue_declare(queue, arguments={"x-single-active-consumer": True})
    active_channel = connection.channel()
    active = Consumer(active_channel, queue, auto_ack=True)
    waiting = Consumer(connection.channel(), queue, auto_ack=True)
    publish(channel, queue, b"1", b"2")
    active.wait(2)
    active_channel.close()
    publish(channel, queue, b"3")
    waiting.wait(1)
    assert (active.bodies, waiting.bodies) == ([b"1", b"2"], [b"3"])


def test_deleting_a_queue_cancels_its_consumers(connect: Connect, channel: BlockingChannel, queue: str) -> None:
    connection = connect()
    consuming = connection.channel()
    cancelled: list[str] = []
    consuming.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
    consumer = Consumer(consuming, queue, consumer_tag="watcher")

    channel.queue_delete(queue)

    wait_until(connection, lambda: bool(cancelled))
    assert (cancelled, consumer.tag) == (["watcher"], "watcher")
    assert consuming.is_open
    assert consuming.consumer_tags == []


def test_start_consuming_returns_when_the_queue_is_deleted(
    connect: Connect, channel: BlockingChannel, queue: str
) -> None:
    """What ends a plain worker's loop: the cancel notification removes its only consumer."""
    consuming = connect().channel()
    Consumer(consuming, queue)
    channel.queue_delete(queue)
    consuming.start_consuming()
    assert consuming.consumer_tags == []


def test_after_cancel_nothing_comes_and_unsettled_messages_can_be_acked(channel: BlockingChannel, queue: str) -> None:
    channel.basic_qos(prefetch_count=2)
    consumer = Consumer(channel, queue)
    publish(channel, queue, b"0", b"1", b"2")
    consumer.wait(2)

    channel.basic_cancel(consumer.tag)
    channel.basic_ack(consumer.deliveries[-1].method.delivery_tag, multiple=True)

    assert consumer.bodies_so_far() == [b"0", b"1"]
    assert drain(channel, queue) == [b"2"]
