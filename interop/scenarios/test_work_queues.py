"""Shared work with pika: priorities, one active worker with a stand-in, and quorum queues."""

from __future__ import annotations

from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.scenarios.blocking import (
    Consumer,
    Delivery,
    acknowledging,
    drain,
    publish,
    ready_count,
    wait_for_ready_count,
)
from interop.scenarios.conftest import Connect
from interop.scenarios.cuttable_proxy import CuttableProxy

SINGLE_ACTIVE = {"x-single-active-consumer": True}
QUORUM = {"x-queue-type": "quorum"}


def test_urgent_work_overtakes_what_waits_but_not_what_is_being_done(
    connection: pika.BlockingConnection, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("tasks")
    channel.queue_declare(queue, arguments={"x-max-priority": 10})
    working = connection.channel()
    working.basic_qos(prefetch_count=1)
    for body, priority in ((b"routine", 1), (b"also routine", 1)):
        channel.basic_publish("", queue, body, pika.BasicProperties(priority=priority))
    worker = Consumer(working, queue)
    worker.wait(1)
    for body, priority in ((b"urgent", 9), (b"idle", None), (b"most urgent", 10)):
        channel.basic_publish("", queue, body, pika.BasicProperties(priority=priority))
    for count in range(2, 6):
        working.basic_ack(count - 1)
        worker.wait(count)
    assert worker.bodies == [b"routine", b"most urgent", b"urgent", b"also routine", b"idle"]


def test_a_full_priority_queue_gives_up_the_most_urgent(channel: BlockingChannel, unique: Callable[[str], str]) -> None:
    """Surprising, but so it is: the head of the queue goes, and that is the highest priority."""
    queue = unique("tasks")
    channel.queue_declare(queue, arguments={"x-max-priority": 10, "x-max-length": 2})
    for priority in (1, 9, 5):
        channel.basic_publish("", queue, b"%d" % priority, pika.BasicProperties(priority=priority))
    assert drain(channel, queue) == [b"5", b"1"]


def test_a_stand_in_takes_over_when_the_active_workers_connection_is_lost(
    proxy: CuttableProxy, connect: Connect, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    """In order, beginning with what the active one had not finished."""
    queue = unique("ledger")
    channel.queue_declare(queue, arguments=SINGLE_ACTIVE)
    active = Consumer(connect(proxy.url).channel(), queue)
    stand_in_channel = connect().channel()
    stand_in = Consumer(stand_in_channel, queue, on_delivery=acknowledging(stand_in_channel))
    publish(channel, queue, b"1", b"2", b"3")
    active.wait(3)
    active.channel.basic_ack(1)
    active.channel.queue_declare(queue, passive=True)  # the ack is through
    assert stand_in.bodies_so_far() == []

    proxy.cut()
    stand_in.wait(2)
    publish(channel, queue, b"4")
    stand_in.wait(3)
    assert [(delivery.body, delivery.method.redelivered) for delivery in stand_in.deliveries] == [
        (b"2", True),
        (b"3", True),
        (b"4", False),
    ]
    with pytest.raises(pika.exceptions.StreamLostError):
        active.channel.connection.process_data_events()


def test_the_most_important_stand_in_is_next(
    connection: pika.BlockingConnection, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("ledger")
    channel.queue_declare(queue, arguments=SINGLE_ACTIVE)
    workers = {}
    for name, priority in (("first", 0), ("second", 0), ("important", 5)):
        workers[name] = Consumer(
            connection.channel(), queue, auto_ack=True, consumer_tag=name, arguments={"x-priority": priority}
        )
    served = []
    for name in ("first", "important", "second"):
        publish(channel, queue, name.encode())
        workers[name].wait(1)
        workers[name].channel.basic_cancel(name)
        served.append(workers[name].bodies)
    assert served == [[b"first"], [b"important"], [b"second"]]


def test_nobody_is_exclusive_where_one_is_active(channel: BlockingChannel, unique: Callable[[str], str]) -> None:
    queue = unique("ledger")
    channel.queue_declare(queue, arguments=SINGLE_ACTIVE)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        Consumer(channel, queue, exclusive=True)
    assert (caught.value.reply_code, "in exclusive use" in caught.value.reply_text) == (403, True)


def test_a_poison_message_is_buried_after_as_many_attempts_as_the_limit_says(
    channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    work, dead = unique("work"), unique("dead")
    channel.queue_declare(dead)
    arguments = QUORUM | {"x-delivery-limit": 2, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
    channel.queue_declare(work, durable=True, arguments=arguments)
    undertaker = Consumer(channel, dead, auto_ack=True)

    def handle(delivery: Delivery) -> None:
        if delivery.body == b"poison":
            channel.basic_nack(delivery.method.delivery_tag)
        else:
            channel.basic_ack(delivery.method.delivery_tag)

    worker = Consumer(channel, work, on_delivery=handle)
    publish(channel, work, b"poison")
    [letter] = undertaker.wait(1)
    publish(channel, work, b"fine")
    worker.wait(4)

    counts = [(delivery.properties.headers or {}).get("x-delivery-count") for delivery in worker.deliveries]
    assert (worker.bodies, counts) == ([b"poison", b"poison", b"poison", b"fine"], [None, 1, 2, None])
    [death] = letter.properties.headers["x-death"]
    assert (death["reason"], death["queue"], death["count"]) == ("delivery_limit", work, 1)
    assert "x-delivery-count" not in letter.properties.headers


def test_a_worker_that_dies_again_and_again_counts_too(
    connect: Connect, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    """The message that kills its worker: nobody rejects it, but it comes back each time."""
    work, dead = unique("work"), unique("dead")
    channel.queue_declare(dead)
    arguments = QUORUM | {"x-delivery-limit": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
    channel.queue_declare(work, durable=True, arguments=arguments)
    publish(channel, work, b"killer")
    for _ in range(2):
        connection = connect()
        Consumer(connection.channel(), work).wait(1)
        connection.close()
    undertaker = Consumer(channel, dead, auto_ack=True)
    [letter] = undertaker.wait(1)
    assert (letter.body, letter.properties.headers["x-first-death-reason"]) == (b"killer", "delivery_limit")


def test_returned_messages_of_a_quorum_queue_come_first(channel: BlockingChannel, unique: Callable[[str], str]) -> None:
    """With a limit on deliveries, which RabbitMQ has by default from 4.0."""
    queue = unique("work")
    channel.queue_declare(queue, durable=True, arguments=QUORUM | {"x-delivery-limit": 9})
    publish(channel, queue, b"1", b"2", b"3")
    tags = [channel.basic_get(queue)[0].delivery_tag for _ in range(2)]
    for tag in reversed(tags):
        channel.basic_nack(tag)
    wait_for_ready_count(channel, queue, 3)
    assert drain(channel, queue) == [b"2", b"1", b"3"]


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"durable": False}, "invalid property 'non-durable'"),
        ({"durable": True, "auto_delete": True}, "invalid property 'auto-delete'"),
        ({"durable": True, "exclusive": True}, "invalid property 'exclusive-owner'"),
        ({"durable": True, "arguments": QUORUM | {"x-max-priority": 5}}, "invalid arg 'x-max-priority'"),
    ],
)
def test_what_a_quorum_queue_cannot_be(
    channel: BlockingChannel, unique: Callable[[str], str], properties: dict[str, object], text: str
) -> None:
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match=text) as caught:
        channel.queue_declare(unique("work"), **{"arguments": QUORUM} | properties)
    assert caught.value.reply_code == 406


def test_a_channel_limited_as_a_whole_cannot_consume_from_a_quorum_queue(
    connect: Connect, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("work")
    channel.queue_declare(queue, durable=True, arguments=QUORUM)
    limited = connect().channel()
    limited.basic_qos(prefetch_count=1, global_qos=True)
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="does not support global qos"):
        Consumer(limited, queue)


def test_a_quorum_queue_is_not_deleted_on_conditions(
    connect: Connect, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("work")
    channel.queue_declare(queue, durable=True, arguments=QUORUM)
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="not supported by quorum queues"):
        connect().channel().queue_delete(queue, if_unused=True)
    publish(channel, queue, b"1", b"2")
    wait_for_ready_count(channel, queue, 2)
    assert channel.queue_delete(queue).method.message_count == 2


def test_transient_messages_of_a_quorum_queue_expire_and_are_counted(
    channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue, dead = unique("work"), unique("dead")
    channel.queue_declare(dead)
    arguments = QUORUM | {"x-message-ttl": 20, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
    channel.queue_declare(queue, durable=True, arguments=arguments)
    undertaker = Consumer(channel, dead, auto_ack=True)
    publish(channel, queue, b"1", b"2")
    undertaker.wait(2)
    assert undertaker.bodies == [b"1", b"2"]
    assert ready_count(channel, queue) == 0
