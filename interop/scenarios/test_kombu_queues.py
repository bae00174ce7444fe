"""kombu's words for kinds of queues: expires, message_ttl, max_length, max_priority, quorum, and delayed delivery."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import amqp
import pytest
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.messaging import Consumer, Producer
from kombu.transport import native_delayed_delivery as delayed

from interop.admin import Admin
from interop.scenarios.blocking import DEADLINE_SECONDS


@pytest.fixture
def connection(broker_url: str, unique: Callable[[str], str]) -> Iterator[Connection]:
    """Confirming: when publish returns, the queues have the message. Its names are deleted after it is closed."""
    with Connection(broker_url, transport_options={"confirm_publish": True}) as connection:
        yield connection


def drain(connection: Connection, done: Callable[[], bool]) -> None:
    """Handle events until `done()`. Raises: socket.timeout when nothing comes within DEADLINE_SECONDS"""
    while not done():
        connection.drain_events(timeout=DEADLINE_SECONDS)


def all_of(queue: Any) -> list[Any]:
    """Take everything out of a bound queue."""
    payloads = []
    while message := queue.get(no_ack=True):
        payloads.append(message.payload)
    return payloads


def test_max_priority_and_priorities(connection: Connection, unique: Callable[[str], str]) -> None:
    queue = Queue(unique("tasks"), max_priority=9)(connection.channel())
    queue.declare()
    producer = Producer(queue.channel)
    for priority in (0, 5, 9, 5):
        producer.publish(priority, routing_key=queue.name, priority=priority)
    assert all_of(queue) == [9, 5, 5, 0]


def test_times_are_told_in_seconds_and_kept_in_milliseconds(
    connection: Connection, unique: Callable[[str], str]
) -> None:
    """message_ttl, expires and a message's expiration: 0.02 is 20 ms everywhere."""
    channel = connection.channel()
    dead = Queue(unique("dead"))(channel)
    dead.declare()
    to_dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead.name}
    waiting = Queue(unique("waiting"), message_ttl=0.02, expires=60, queue_arguments=to_dead)(channel)
    waiting.declare()
    plain = Queue(unique("plain"), queue_arguments=to_dead)(channel)
    plain.declare()
    received: list[Any] = []
    with Consumer(channel, [dead], on_message=received.append, no_ack=True):
        Producer(channel).publish("by the queue", routing_key=waiting.name)
        drain(connection, lambda: len(received) == 1)
        Producer(channel).publish("by the message", routing_key=plain.name, expiration=0.02)
        drain(connection, lambda: len(received) == 2)
    assert [message.payload for message in received] == ["by the queue", "by the message"]
    [death] = received[1].headers["x-death"]
    assert (death["original-expiration"], received[1].properties.get("expiration")) == ("20", None)
    with pytest.raises(amqp.exceptions.PreconditionFailed, match="received '20' but current is '60000'"):
        Queue(waiting.name, message_ttl=0.02, expires=0.02)(connection.channel()).queue_declare()


def test_max_length_keeps_the_newest(connection: Connection, unique: Callable[[str], str]) -> None:
    queue = Queue(unique("latest"), max_length=2, max_length_bytes=1000)(connection.channel())
    queue.declare()
    for number in range(4):
        Producer(queue.channel).publish(number, routing_key=queue.name)
    assert all_of(queue) == [2, 3]


def test_quorum_queue_redelivers_with_a_count(connection: Connection, unique: Callable[[str], str]) -> None:
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": 5}
    queue = Queue(unique("safe"), durable=True, queue_arguments=arguments)
    received: list[Any] = []

    def on_message(message: Any) -> None:
        received.append(message)
        if len(received) < 3:
            message.requeue()
        else:
            message.ack()

    consumer = Consumer(connection.channel(), [queue], on_message=on_message)
    consumer.qos(prefetch_count=1, apply_global=False)
    with consumer:
        Producer(connection.channel()).publish("job", routing_key=queue.name)
        drain(connection, lambda: len(received) == 3)
    assert [message.headers.get("x-delivery-count") for message in received] == [None, 1, 2]


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_native_delayed_delivery(admin: Admin, queue_type: str) -> None:
    """What Celery uses for countdowns with quorum queues: a cascade of 28 queues and exchanges, one for each bit.

    The shortest of them holds a message for a second; its expiration makes that 20 ms.
    """
    with Connection(admin.url, transport_options={"confirm_publish": True}) as connection:
        exchange = Exchange("tasks", "topic")
        queue = Queue("tasks", exchange, routing_key="tasks")(connection.channel())
        queue.declare()
        delayed.declare_native_delayed_delivery_exchanges_and_queues(connection, queue_type)
        delayed.bind_queue_to_native_delayed_delivery_exchange(connection, queue)
        received: list[Any] = []
        with Consumer(connection.channel(), [queue], on_message=received.append, no_ack=True):
            key = delayed.calculate_routing_key(1, "tasks")
            Producer(connection.channel()).publish(
                "later", exchange=delayed.level_name(delayed.MAX_LEVEL), routing_key=key, expiration=0.02
            )
            drain(connection, lambda: bool(received))
        [message] = received
        assert message.payload == "later"
        assert message.headers["x-first-death-queue"] == delayed.level_name(0)
        assert message.delivery_info["routing_key"] == key
