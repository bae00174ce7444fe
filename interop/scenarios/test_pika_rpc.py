"""pika, blocking: request and reply, over direct reply-to and over a reply queue."""

from __future__ import annotations

from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.scenarios.blocking import Consumer
from interop.scenarios.conftest import Connect

REPLY_TO = "amq.rabbitmq.reply-to"


@pytest.fixture
def service(connect: Connect, unique: Callable[[str], str]) -> Consumer:
    """What gathers the requests, on a connection of its own; `answer` replies to them."""
    channel = connect().channel()
    queue = unique("square")
    channel.queue_declare(queue)
    return Consumer(channel, queue, auto_ack=True)


def ask(channel: BlockingChannel, service: Consumer, number: int, reply_to: str) -> None:
    """Send a request to the service."""
    properties = pika.BasicProperties(reply_to=reply_to, correlation_id=f"request-{number}")
    channel.basic_publish("", service.queue, b"%d" % number, properties)


def answer(service: Consumer, count: int) -> None:
    """Reply with the square to `count` requests, once they are here, latest first."""
    for request in reversed(service.wait(count)):
        reply = pika.BasicProperties(correlation_id=request.properties.correlation_id)
        service.channel.basic_publish("", request.properties.reply_to, b"%d" % int(request.body) ** 2, reply)


def test_direct_reply_reaches_the_requester_without_a_queue(
    connection: pika.BlockingConnection, service: Consumer
) -> None:
    channel = connection.channel()
    replies = Consumer(channel, REPLY_TO, auto_ack=True)
    ask(channel, service, 7, REPLY_TO)

    answer(service, 1)

    [reply] = replies.wait(1)
    [request] = service.deliveries
    assert request.properties.reply_to.startswith(REPLY_TO + ".")
    assert (reply.body, reply.properties.correlation_id) == (b"49", "request-7")
    assert (reply.method.exchange, reply.method.routing_key) == ("", request.properties.reply_to)
    assert reply.method.redelivered is False


def test_direct_replies_go_to_the_channel_that_asked(connect: Connect, service: Consumer) -> None:
    """Three requesters on three channels of two connections, answered in reverse."""
    first, second = connect(), connect()
    channels = [first.channel(), first.channel(), second.channel()]
    inboxes = [Consumer(channel, REPLY_TO, auto_ack=True) for channel in channels]
    for number, channel in enumerate(channels, 1):
        ask(channel, service, number, REPLY_TO)
        service.wait(number)

    answer(service, 3)

    for number, inbox in enumerate(inboxes, 1):
        inbox.wait(1)
        assert inbox.bodies == [b"%d" % number**2]


def test_direct_reply_needs_its_consumer_on_the_same_channel(
    connection: pika.BlockingConnection, service: Consumer
) -> None:
    channel = connection.channel()
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        ask(channel, service, 1, REPLY_TO)
    assert caught.value.reply_code == 406
    assert caught.value.reply_text == "PRECONDITION_FAILED - fast reply consumer does not exist"


def test_direct_reply_consumer_must_not_acknowledge(connection: pika.BlockingConnection) -> None:
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        Consumer(connection.channel(), REPLY_TO)
    assert caught.value.reply_text == "PRECONDITION_FAILED - reply consumer cannot acknowledge"


def test_service_can_ask_whether_a_direct_requester_is_still_there(connect: Connect, service: Consumer) -> None:
    """Declaring the reply name passively succeeds while the requester's channel lives, else it is 404."""
    requester = connect()
    channel = requester.channel()
    Consumer(channel, REPLY_TO, auto_ack=True)
    ask(channel, service, 1, REPLY_TO)
    [request] = service.wait(1)
    checking = service.channel.connection.channel()
    checking.queue_declare(request.properties.reply_to, passive=True)

    requester.close()

    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        checking.queue_declare(request.properties.reply_to, passive=True)
    assert caught.value.reply_code == 404


def test_replies_over_an_exclusive_queue(connection: pika.BlockingConnection, service: Consumer) -> None:
    """The classic way: one server-named reply queue for all requests, told apart by correlation id."""
    channel = connection.channel()
    replies = Consumer(channel, channel.queue_declare("", exclusive=True).method.queue, auto_ack=True)
    for number in range(5):
        ask(channel, service, number, replies.queue)

    answer(service, 5)

    results = {reply.properties.correlation_id: int(reply.body) for reply in replies.wait(5)}
    assert results == {f"request-{number}": number**2 for number in range(5)}
