"""kombu over py-amqp: Producer and Consumer, SimpleQueue, exchange types, errors, reconnecting."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import amqp
import kombu.pools
import pytest
from kombu.connection import Connection
from kombu.entity import Exchange, Queue, binding
from kombu.messaging import Consumer, Producer
from kombu.pools import connections, producers

from interop.scenarios.blocking import DEADLINE_SECONDS
from interop.scenarios.cuttable_proxy import CuttableProxy


@pytest.fixture
def connection(broker_url: str, unique: Callable[[str], str]) -> Iterator[Connection]:
    """A kombu connection; `unique` is asked for first so that its names are deleted last."""
    with Connection(broker_url) as connection:
        yield connection


def drain(connection: Connection, done: Callable[[], bool]) -> None:
    """Handle events until `done()`. Raises: socket.timeout when nothing comes within DEADLINE_SECONDS"""
    while not done():
        connection.drain_events(timeout=DEADLINE_SECONDS)


def test_producer_and_consumer_exchange_python_values(connection: Connection, unique: Callable[[str], str]) -> None:
    exchange = Exchange(unique("media"), "direct")
    queue = Queue(unique("video"), exchange, routing_key="video")
    sent = [{"name": "größe.mp4", "size": 2**40}, [1, None, True], "text"]
    producer = Producer(connection, exchange, routing_key="video", serializer="json")
    received: list[Any] = []

    def on_message(body: Any, message: Any) -> None:
        received.append((body, message.headers["number"]))
        message.ack()

    with Consumer(connection, [queue], callbacks=[on_message], accept=["json"]):
        for number, body in enumerate(sent):
            producer.publish(body, headers={"number": number}, compression="zlib")
        drain(connection, lambda: len(received) == len(sent))
    assert received == [(body, number) for number, body in enumerate(sent)]


def test_confirmed_publish_waits_and_mandatory_return_reaches_its_callback(
    broker_url: str, unique: Callable[[str], str]
) -> None:
    """The return comes before the confirm, so it is here when the publish is through."""
    returned: list[tuple[int, str, str]] = []

    def on_return(error: Any, exchange: str, routing_key: str, message: Any) -> None:
        returned.append((error.reply_code, routing_key, message.body))

    with Connection(broker_url, transport_options={"confirm_publish": True}) as connection:
        key = unique("nobody")
        Producer(connection.channel(), on_return=on_return).publish("lost", routing_key=key, mandatory=True)
        assert returned == [(312, key, "lost")]


def test_topic_exchange_with_several_bindings(connection: Connection, unique: Callable[[str], str]) -> None:
    exchange = Exchange(unique("weather"), "topic", durable=False)
    north = Queue(unique("north"), bindings=[binding(exchange, "north.#"), binding(exchange, "*.storm")], durable=False)
    storms = Queue(unique("storms"), exchange, routing_key="#.storm", durable=False)
    producer = Producer(connection, exchange)
    gathered: list[list[str]] = []
    with contextlib.ExitStack() as consuming:
        for queue in (north, storms):
            bodies: list[str] = []
            gathered.append(bodies)
            on_message = functools.partial(lambda bodies, body, _message: bodies.append(body), bodies)
            consuming.enter_context(Consumer(connection.channel(), [queue], callbacks=[on_message], no_ack=True))
        for key in ("north.sun", "south.storm", "south.sea.storm", "north.storm", "south.sun"):
            producer.publish(key, routing_key=key)
        drain(connection, lambda: sum(map(len, gathered)) == 6)
    assert gathered == [
        ["north.sun", "south.storm", "north.storm"],
        ["south.storm", "south.sea.storm", "north.storm"],
    ]


def test_simple_queue_is_first_in_first_out(connection: Connection, unique: Callable[[str], str]) -> None:
    with connection.SimpleQueue(unique("simple")) as queue:
        for number in range(5):
            queue.put({"number": number})
        for number in range(5):
            message = queue.get(timeout=DEADLINE_SECONDS)
            assert message.payload == {"number": number}
            message.ack()
        with pytest.raises(queue.Empty):
            queue.get(block=False)


def test_simple_buffer_is_transient(connection: Connection, unique: Callable[[str], str]) -> None:
    with connection.SimpleBuffer(unique("buffer")) as buffer:
        buffer.put("hello")
        assert buffer.get(timeout=DEADLINE_SECONDS).payload == "hello"


def test_requeue_and_reject(connection: Connection, unique: Callable[[str], str]) -> None:
    queue = Queue(unique("returned"))(connection.channel())
    queue.declare()
    Producer(queue.channel).publish("again", routing_key=queue.name)
    first = queue.get()
    first.requeue()
    second = queue.get()
    assert (first.delivery_info["redelivered"], second.delivery_info["redelivered"]) == (False, True)
    second.reject()
    assert queue.get() is None


def test_exchange_bindings_and_unbinding(connection: Connection, unique: Callable[[str], str]) -> None:
    channel = connection.channel()
    source = Exchange(unique("source"), "topic")(channel)
    relay = Exchange(unique("relay"), "fanout")(channel)
    queue = Queue(unique("end"), relay)(channel)
    source.declare()
    queue.declare()
    relay.bind_to(source, routing_key="a.#")
    producer = Producer(channel, source)
    producer.publish("through", routing_key="a.b")
    message = queue.get(no_ack=True)
    assert message is not None
    assert message.payload == "through"
    relay.unbind_from(source, routing_key="a.#")
    producer.publish("blocked", routing_key="a.b")
    assert queue.get(no_ack=True) is None


def test_missing_and_inequivalent_queues_raise_by_class(connection: Connection, unique: Callable[[str], str]) -> None:
    name = unique("strict")
    with pytest.raises(amqp.exceptions.NotFound):
        Queue(name)(connection.channel()).queue_declare(passive=True)
    Queue(name, durable=True)(connection.channel()).queue_declare()
    with pytest.raises(amqp.exceptions.PreconditionFailed, match="inequivalent arg 'durable'"):
        Queue(name, durable=False)(connection.channel()).queue_declare()


def test_wrong_password_and_missing_vhost_raise_by_class(broker_url: str) -> None:
    for changed, error in (
        ({"password": "wrong"}, amqp.exceptions.AccessRefused),
        ({"virtual_host": "no-such-vhost"}, amqp.exceptions.NotAllowed),
    ):
        wrong = Connection(broker_url).clone(**changed)
        with pytest.raises(error):
            wrong.connect()
        wrong.release()


def test_prefetch_holds_back_and_a_deleted_queue_cancels(
    connection: Connection, broker_url: str, unique: Callable[[str], str]
) -> None:
    queue = Queue(unique("limited"), durable=False)
    received: list[Any] = []
    consumer = Consumer(connection.channel(), [queue], on_message=received.append)
    consumer.qos(prefetch_count=2)
    with consumer:
        producer = Producer(connection.channel())
        for number in range(4):
            producer.publish(number, routing_key=queue.name)
        drain(connection, lambda: len(received) == 2)
        received[0].ack()
        drain(connection, lambda: len(received) == 3)
        assert [message.payload for message in received] == [0, 1, 2]

        with Connection(broker_url) as other:
            queue(other.channel()).delete()

        with pytest.raises(amqp.exceptions.ConsumerCancelled):
            drain(connection, lambda: False)


def test_publishing_with_retry_survives_a_lost_connection(proxy: CuttableProxy, unique: Callable[[str], str]) -> None:
    """`retry` reconnects and declares again: the application sees nothing of it."""
    queue = Queue(unique("steady"), Exchange(unique("steady-exchange"), durable=False), routing_key="k", durable=False)
    policy = {"interval_start": 0, "interval_step": 0.05, "max_retries": 20}
    with Connection(proxy.url, transport_options={"confirm_publish": True}) as connection:
        producer = Producer(connection)
        for number in range(3):
            proxy.cut()
            producer.publish(
                number, exchange=queue.exchange, routing_key="k", declare=[queue], retry=True, retry_policy=policy
            )
        bound = queue(connection.channel())
        assert [bound.get(no_ack=True).payload for _ in range(3)] == [0, 1, 2]


def test_pools_hand_out_working_connections_and_producers(broker_url: str, unique: Callable[[str], str]) -> None:
    queue = Queue(unique("pooled"))
    connection = Connection(broker_url)
    try:
        for number in range(3):
            with producers[connection].acquire(block=True) as producer:
                producer.publish(number, routing_key=queue.name, declare=[queue])
        with connections[connection].acquire(block=True) as pooled:
            bound = queue(pooled.default_channel)
            assert [bound.get(no_ack=True).payload for _ in range(3)] == [0, 1, 2]
    finally:
        kombu.pools.reset()
