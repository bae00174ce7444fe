"""Trying again later, and giving up: what people build from time to live and dead-lettering, with pika."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.scenarios.blocking import Consumer, Delivery, drain, publish
from interop.scenarios.conftest import Connect

RETRY_MS = 20


@pytest.fixture
def declare(channel: BlockingChannel, unique: Callable[[str], str]) -> Callable[..., str]:
    """`declare("retry", to=work, message_ttl=20)`: a queue, where its dead letters go, further arguments."""

    def declare(stem: str, to: str | None = None, **arguments: Any) -> str:
        name = unique(stem)
        if to is not None:
            arguments |= {"dead_letter_exchange": "", "dead_letter_routing_key": to}
        hyphened = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
        channel.queue_declare(name, durable=True, arguments=hyphened)
        return name

    return declare


def deaths(delivery: Delivery, queue: str, reason: str) -> int:
    """How often the message died there for this reason: what applications count their attempts by."""
    for death in (delivery.properties.headers or {}).get("x-death", []):
        if (death["queue"], death["reason"]) == (queue, reason):
            return int(death["count"])
    return 0


def test_failed_work_is_tried_again_after_a_pause(
    channel: BlockingChannel, unique: Callable[[str], str], declare: Callable[..., str]
) -> None:
    """The worker rejects; the message waits in a queue nobody reads, and comes back when its time is over."""
    work = unique("work")
    retry = declare("retry", to=work, message_ttl=RETRY_MS)
    channel.queue_declare(work, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": retry})
    attempts: list[tuple[bytes, int]] = []

    def handle(delivery: Delivery) -> None:
        attempts.append((delivery.body, deaths(delivery, work, "rejected")))
        if delivery.body == b"flaky" and len(attempts) < 4:
            channel.basic_reject(delivery.method.delivery_tag, requeue=False)
        else:
            channel.basic_ack(delivery.method.delivery_tag)

    worker = Consumer(channel, work, on_delivery=handle)
    publish(channel, work, b"flaky", b"fine")
    worker.wait(4)
    assert attempts == [(b"flaky", 0), (b"fine", 0), (b"flaky", 1), (b"flaky", 2)]
    assert {delivery.method.redelivered for delivery in worker.deliveries} == {False}


def test_work_that_always_fails_is_parked(
    channel: BlockingChannel, unique: Callable[[str], str], declare: Callable[..., str]
) -> None:
    """After three attempts the worker puts it aside itself, with its whole history."""
    work, parked = unique("work"), declare("parked")
    retry = declare("retry", to=work, message_ttl=RETRY_MS)
    channel.queue_declare(work, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": retry})

    def handle(delivery: Delivery) -> None:
        if deaths(delivery, work, "rejected") < 2:
            channel.basic_reject(delivery.method.delivery_tag, requeue=False)
        else:
            channel.basic_publish("", parked, delivery.body, delivery.properties)
            channel.basic_ack(delivery.method.delivery_tag)

    undertaker = Consumer(channel, parked, auto_ack=True)
    Consumer(channel, work, on_delivery=handle)
    channel.basic_publish("", work, b"poison", pika.BasicProperties(message_id="m-1", headers={"tenant": 7}))
    [letter] = undertaker.wait(1)

    headers = letter.properties.headers
    assert (letter.body, letter.properties.message_id, headers["tenant"]) == (b"poison", "m-1", 7)
    assert (headers["x-first-death-queue"], headers["x-first-death-reason"]) == (work, "rejected")
    assert [(death["queue"], death["reason"], death["count"]) for death in headers["x-death"]] == [
        (retry, "expired", 2),
        (work, "rejected", 2),
    ]


def test_each_attempt_waits_longer_than_the_one_before(
    channel: BlockingChannel, unique: Callable[[str], str], declare: Callable[..., str]
) -> None:
    """Backoff: the worker publishes what failed to a queue of delays, each time with another expiration."""
    work = unique("work")
    delays = declare("delays", to=work)
    channel.queue_declare(work)
    told: list[str | None] = []

    def handle(delivery: Delivery) -> None:
        headers = delivery.properties.headers or {}
        deaths = headers.get("x-death", [])
        told.append(deaths[0].get("original-expiration") if deaths else None)
        assert delivery.properties.expiration is None
        if len(told) < 4:
            later = pika.BasicProperties(expiration=str(RETRY_MS * len(told)), headers={"attempt": len(told)})
            channel.basic_publish("", delays, delivery.body, later)
        channel.basic_ack(delivery.method.delivery_tag)

    worker = Consumer(channel, work, on_delivery=handle)
    publish(channel, work, b"flaky")
    worker.wait(4)
    assert told == [None, "20", "40", "60"]
    assert [(delivery.properties.headers or {}).get("attempt") for delivery in worker.deliveries] == [None, 1, 2, 3]


def test_a_long_delay_in_front_holds_up_a_short_one(channel: BlockingChannel, declare: Callable[..., str]) -> None:
    """The known trap of the pattern: only the head of a queue expires."""
    ready = declare("ready")
    delays = declare("delays", to=ready)
    consumer = Consumer(channel, ready, auto_ack=True)
    for body, milliseconds in ((b"long", 60), (b"short", 5)):
        channel.basic_publish("", delays, body, pika.BasicProperties(expiration=str(milliseconds)))
    consumer.wait(2)
    assert consumer.bodies == [b"long", b"short"]


def test_a_request_nobody_takes_in_time_comes_back_to_its_sender(
    channel: BlockingChannel, declare: Callable[..., str]
) -> None:
    """The sender hears of it in its own queue, by the correlation id, instead of waiting in vain."""
    answers = declare("answers")
    requests = declare("requests", to=answers)
    client = Consumer(channel, answers, auto_ack=True)
    request = pika.BasicProperties(correlation_id="c-1", reply_to=answers, expiration=str(RETRY_MS))
    channel.basic_publish("", requests, b"question", request)
    [answer] = client.wait(1)
    assert (answer.properties.correlation_id, answer.body) == ("c-1", b"question")
    assert answer.properties.headers["x-first-death-reason"] == "expired"
    assert drain(channel, requests) == []


def test_a_refused_message_is_told_and_kept_elsewhere(channel: BlockingChannel, declare: Callable[..., str]) -> None:
    """reject-publish-dlx: the publisher learns that the queue is full, and the message is not lost."""
    overflow = declare("overflow")
    work = declare("work", to=overflow, max_length=1, overflow="reject-publish-dlx")
    publish(channel, work, b"1")
    with pytest.raises(pika.exceptions.NackError):
        publish(channel, work, b"2")
    spare = Consumer(channel, overflow, auto_ack=True)
    [letter] = spare.wait(1)
    assert (letter.body, letter.properties.headers["x-first-death-reason"]) == (b"2", "maxlen")
    assert drain(channel, work) == [b"1"]


def test_a_queue_of_its_own_for_each_client_expires_with_it(
    connect: Connect, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    """x-expires instead of exclusive: it outlives the connection, but not for long."""
    inbox = unique("inbox")
    first, second = connect().channel(), connect().channel()
    first.queue_declare(inbox, arguments={"x-expires": 100})
    Consumer(first, inbox)
    first.connection.close()
    publish(channel, inbox, b"while away")
    returned = Consumer(second, inbox)
    returned.wait(1)
    assert returned.bodies == [b"while away"]
    second.connection.close()

    channel.connection.sleep(0.15)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match=f"no queue '{inbox}'"):
        channel.queue_declare(inbox, passive=True)
