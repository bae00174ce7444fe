"""pika, blocking: the connection itself. Login, heartbeats, closing, threads, limits, losing it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.scenarios.blocking import Consumer, Delivery, drain, publish, wait_for_ready_count, wait_until
from interop.scenarios.conftest import Connect
from interop.scenarios.cuttable_proxy import CuttableProxy


@pytest.mark.parametrize(
    "credentials", [pika.PlainCredentials("guest", "wrong"), pika.PlainCredentials("nobody", "guest")]
)
def test_wrong_login_is_told_as_authentication_error(connect: Connect, credentials: pika.PlainCredentials) -> None:
    with pytest.raises(pika.exceptions.ProbableAuthenticationError) as caught:
        connect(credentials=credentials)
    assert "Login was refused using authentication mechanism PLAIN" in str(caught.value)


def test_missing_vhost_is_told_with_its_name(connect: Connect) -> None:
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError) as caught:
        connect(virtual_host="no-such-vhost")
    assert "NOT_ALLOWED - vhost no-such-vhost not found" in str(caught.value)


def test_server_announces_the_extensions_that_pika_asks_for(connection: pika.BlockingConnection) -> None:
    assert connection.basic_nack_supported
    assert connection.consumer_cancel_notify_supported
    assert connection.exchange_exchange_bindings_supported
    assert connection.publisher_confirms_supported


def test_connection_may_carry_a_name(connect: Connect, unique: Callable[[str], str]) -> None:
    connection = connect(client_properties={"connection_name": unique("billing-service"), "release": {"major": 1}})
    assert connection.channel().queue_declare("", exclusive=True).method.message_count == 0


def test_update_secret_is_accepted_at_any_time(
    connection: pika.BlockingConnection, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("after-refresh")
    channel.queue_declare(queue)
    connection.update_secret("new token", "the old one expires")
    publish(channel, queue, b"still here")
    assert drain(channel, queue) == [b"still here"]


def test_client_with_one_second_heartbeat_stays_connected_while_idle(
    connect: Connect, unique: Callable[[str], str]
) -> None:
    """A silent client would be dropped after 2 to 3 s; both sides keep the connection alive for longer than that."""
    connection = connect(heartbeat=1)
    queue = unique("quiet")
    channel = connection.channel()
    channel.queue_declare(queue)
    until = time.monotonic() + 3.5
    while (remaining := until - time.monotonic()) > 0:
        connection.process_data_events(remaining)
    publish(channel, queue, b"still here")
    wait_for_ready_count(channel, queue, 1)


def test_client_that_falls_silent_loses_its_messages_to_another(
    connect: Connect, connection: pika.BlockingConnection, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    """With heartbeat 1 the broker gives up a client that sends nothing between 2 and 3 s after its last byte."""
    queue = unique("held")
    channel.queue_declare(queue)
    publish(channel, queue, b"work")
    silent = connect(heartbeat=1)
    silent_channel = silent.channel()
    assert silent_channel.basic_get(queue)[2] == b"work"
    began = time.monotonic()

    [delivery] = Consumer(channel, queue, auto_ack=True).wait(1)

    assert (delivery.body, delivery.method.redelivered) == (b"work", True)
    assert 1.9 < time.monotonic() - began < 4
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        silent_channel.queue_declare(queue, passive=True)


def test_heartbeat_zero_turns_heartbeats_off(connect: Connect) -> None:
    channel = connect(heartbeat=0).channel()
    assert channel.queue_declare("", exclusive=True).method.consumer_count == 0


def test_connection_closes_at_once_while_deliveries_pour_in(
    connect: Connect, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    """2,000 messages on the way to an unlimited consumer: closing neither hangs nor loses any of them."""
    queue = unique("flood")
    filling, reading = connect(), connect()
    sender = filling.channel()
    sender.queue_declare(queue)
    publish(sender, queue, *[b"x" * 1000] * 2000)
    Consumer(reading.channel(), queue).wait(1)
    began = time.monotonic()
    reading.close()
    assert time.monotonic() - began < 5
    wait_for_ready_count(channel, queue, 2000)


def test_everything_published_before_close_arrives(
    connect: Connect, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("last-words")
    channel.queue_declare(queue)
    short_lived = connect()
    publish(short_lived.channel(), queue, *(b"%d" % number for number in range(500)))
    short_lived.close()
    assert drain(channel, queue) == [b"%d" % number for number in range(500)]


def test_agreed_number_of_channels_can_be_open_at_a_time(connect: Connect) -> None:
    """pika itself refuses to open more; a closed one makes room for the next."""
    connection = connect(channel_max=3)
    channels = [connection.channel() for _ in range(3)]
    with pytest.raises(pika.exceptions.NoFreeChannels):
        connection.channel()
    channels[1].close()
    assert connection.channel().channel_number == 2


def test_hard_error_closes_the_connection_with_all_channels(connect: Connect) -> None:
    """RabbitMQ never implemented prefetch_size, and says so with a connection error."""
    connection = connect()
    bystander = connection.channel()
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as caught:
        connection.channel().basic_qos(prefetch_size=1)
    assert caught.value.reply_code == 540
    assert caught.value.reply_text == "NOT_IMPLEMENTED - prefetch_size!=0 (1)"
    assert bystander.is_closed


def test_threads_acknowledge_through_the_connections_own_thread(
    connection: pika.BlockingConnection, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    """pika's recipe for long jobs: work in a pool, and the ack handed over by add_callback_threadsafe."""
    queue = unique("long-jobs")
    channel.queue_declare(queue)
    publish(channel, queue, *(b"%d" % number for number in range(200)))
    consuming = connection.channel()
    consuming.basic_qos(prefetch_count=8)
    threads: set[int] = set()
    acknowledged: list[int] = []

    def acknowledge(tag: int) -> None:
        consuming.basic_ack(tag)
        acknowledged.append(tag)

    with ThreadPoolExecutor(4) as pool:

        def work(delivery: Delivery) -> None:
            threads.add(threading.get_ident())
            connection.add_callback_threadsafe(partial(acknowledge, delivery.method.delivery_tag))

        consumer = Consumer(consuming, queue, on_delivery=lambda delivery: pool.submit(work, delivery))
        wait_until(connection, lambda: len(acknowledged) == 200)

    assert consumer.bodies == [b"%d" % number for number in range(200)]
    assert threading.get_ident() not in threads
    consuming.close()
    assert drain(channel, queue) == []


def test_threads_with_connections_of_their_own_work_side_by_side(
    connect: Connect, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    """Four publishers and four consumers at a time: each message exactly once, each publisher's in order.

    All consume before the first publish, so that taking turns gives each a quarter.
    """
    queue = unique("busy")
    channel.queue_declare(queue)
    publishers = [connect() for _ in range(4)]
    receivers = [Consumer(connect().channel(), queue, auto_ack=True) for _ in range(4)]

    def send(number: int) -> None:
        publish(publishers[number].channel(), queue, *(b"%d %03d" % (number, count) for count in range(250)))

    def receive(receiver: Consumer) -> list[bytes]:
        receiver.wait(250)
        return receiver.bodies

    with ThreadPoolExecutor(8) as pool:
        received = [pool.submit(receive, receiver) for receiver in receivers]
        for sent in [pool.submit(send, number) for number in range(4)]:
            sent.result()
        bodies = [future.result() for future in received]

    every = [b"%d %03d" % (number, count) for number in range(4) for count in range(250)]
    assert sorted(body for got in bodies for body in got) == every
    for got in bodies:
        for number in range(4):
            of_one = [body for body in got if body.startswith(b"%d " % number)]
            assert of_one == sorted(of_one)


def test_application_reconnects_after_losing_its_connection(
    proxy: CuttableProxy, connect: Connect, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("steady")
    channel.queue_declare(queue)
    connection = connect(url=proxy.url)
    Consumer(connection.channel(), queue)
    proxy.cut()
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        connection.process_data_events(10)

    consumer = Consumer(connect(url=proxy.url).channel(), queue, auto_ack=True)
    publish(channel, queue, *[b"after"] * 4)

    assert consumer.wait(1)[0].body == b"after"


def test_connections_open_and_close_in_a_row(connect: Connect) -> None:
    """Ten connections one after the other, each used and closed: what a script in a loop does."""
    for _ in range(10):
        connection = connect()
        connection.channel().close()
        connection.close()
        assert connection.is_closed
