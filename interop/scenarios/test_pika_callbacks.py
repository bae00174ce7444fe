"""pika's callback connections: SelectConnection on pika's own loop, AsyncioConnection on asyncio's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pika
import pytest

from interop.scenarios.callbacks import ADAPTERS, Inbox, Play, Steps, play
from interop.scenarios.cuttable_proxy import CuttableProxy

Adapter = Callable[..., Any]


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.__name__)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """The class of the connection."""
    adapter: Adapter = request.param
    return adapter


def test_a_whole_life_from_declare_to_delete(adapter: Adapter, broker_url: str, unique: Callable[[str], str]) -> None:
    exchange, queue = unique("events"), unique("audit")

    def scenario(play: Play) -> Steps:
        channel = yield play.channel
        yield partial(channel.exchange_declare, exchange, "topic")
        declared = yield partial(channel.queue_declare, queue)
        assert (declared.method.queue, declared.method.message_count) == (queue, 0)
        yield partial(channel.queue_bind, queue, exchange, "user.*")
        yield partial(channel.basic_qos, prefetch_count=2)
        inbox = Inbox()
        tag = "auditor"
        yield partial(channel.basic_consume, queue, inbox.put_delivery, consumer_tag=tag)
        for key in ("user.created", "order.created", "user.deleted", "user.renamed"):
            channel.basic_publish(exchange, key, key.encode(), pika.BasicProperties(type=key))
        first, second = yield inbox.holds(2)
        assert (first.body, first.properties.type, first.method.routing_key) == (b"user.created",) + (
            "user.created",
        ) * 2
        channel.basic_ack(second.method.delivery_tag, multiple=True)
        deliveries = yield inbox.holds(3)
        assert [delivery.body for delivery in deliveries] == [b"user.created", b"user.deleted", b"user.renamed"]
        channel.basic_nack(deliveries[-1].method.delivery_tag, requeue=False)
        yield partial(channel.basic_cancel, tag)
        yield partial(channel.queue_unbind, queue, exchange, "user.*")
        purged = yield partial(channel.queue_purge, queue)
        assert purged.method.message_count == 0
        yield partial(channel.queue_delete, queue)
        yield partial(channel.exchange_delete, exchange)

    play(adapter, broker_url, scenario)


def test_a_thousand_publishes_in_flight_are_all_confirmed(
    adapter: Adapter, broker_url: str, unique: Callable[[str], str]
) -> None:
    """Confirms may be merged (multiple) and may overtake each other; every number is covered in the end."""
    count = 1000
    queue = unique("confirmed")

    def scenario(play: Play) -> Steps:
        channel = yield play.channel
        yield partial(channel.queue_declare, queue)
        outstanding = set(range(1, count + 1))
        finished = Inbox()

        def confirmed(frame: Any) -> None:
            assert isinstance(frame.method, pika.spec.Basic.Ack)
            tag = frame.method.delivery_tag
            outstanding.difference_update(range(1, tag + 1) if frame.method.multiple else [tag])
            if not outstanding:
                finished.put(tag)

        yield partial(channel.confirm_delivery, confirmed)
        for number in range(count):
            properties = pika.BasicProperties(delivery_mode=1 + number % 2)
            channel.basic_publish("", queue, b"%d" % number, properties)
        yield finished.holds(1)
        declared = yield partial(channel.queue_declare, queue, passive=True)
        assert declared.method.message_count == count

    play(adapter, broker_url, scenario)


def test_return_comes_before_the_confirm_of_the_same_message(
    adapter: Adapter, broker_url: str, unique: Callable[[str], str]
) -> None:
    def scenario(play: Play) -> Steps:
        channel = yield play.channel
        inbox = Inbox()
        channel.add_on_return_callback(inbox.put_delivery)
        yield partial(channel.confirm_delivery, inbox.put)
        channel.basic_publish("amq.direct", unique("nobody"), b"x" * 10_000, mandatory=True)
        returned, confirm = yield inbox.holds(2)
        assert (returned.method.reply_code, returned.body) == (312, b"x" * 10_000)
        assert isinstance(confirm.method, pika.spec.Basic.Ack)
        assert confirm.method.delivery_tag == 1

    play(adapter, broker_url, scenario)


def test_full_queue_nacks_and_goes_on(adapter: Adapter, broker_url: str, unique: Callable[[str], str]) -> None:
    queue = unique("full")

    def scenario(play: Play) -> Steps:
        channel = yield play.channel
        arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
        yield partial(channel.queue_declare, queue, arguments=arguments)
        confirms = Inbox()
        yield partial(channel.confirm_delivery, confirms.put)
        kinds = []
        for number in range(1, 4):
            channel.basic_publish("", queue, b"%d" % number)
            frames = yield confirms.holds(number)
            kinds.append(frames[-1].method.NAME)
            assert frames[-1].method.delivery_tag == number
        assert kinds == ["Basic.Ack", "Basic.Nack", "Basic.Nack"]

    play(adapter, broker_url, scenario)


def test_acknowledging_each_of_two_thousand_keeps_the_order(
    adapter: Adapter, broker_url: str, unique: Callable[[str], str]
) -> None:
    count = 2000
    queue = unique("ordered")

    def scenario(play: Play) -> Steps:
        channel = yield play.channel
        yield partial(channel.queue_declare, queue)
        yield partial(channel.basic_qos, prefetch_count=10)
        inbox = Inbox()

        def take(channel: Any, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
            channel.basic_ack(method.delivery_tag)
            inbox.put(int(body))

        yield partial(channel.basic_consume, queue, take)
        for number in range(count):
            channel.basic_publish("", queue, b"%d" % number)
        numbers = yield inbox.holds(count)
        assert numbers == list(range(count))

    play(adapter, broker_url, scenario)


def test_requests_need_not_wait_for_replies(adapter: Adapter, broker_url: str) -> None:
    """Twenty channels open at once, each declaring as soon as it is open; all replies find their way."""

    def scenario(play: Play) -> Steps:
        names = Inbox()
        for _ in range(20):
            play.connection.channel(
                on_open_callback=lambda channel: channel.queue_declare("", exclusive=True, callback=names.put)
            )
        frames = yield names.holds(20)
        assert len({frame.method.queue for frame in frames}) == 20

    play(adapter, broker_url, scenario)


@pytest.mark.parametrize("size", [0, 4088, 4089, 1 << 20])
def test_bodies_of_many_small_frames_arrive_whole(
    adapter: Adapter, broker_url: str, unique: Callable[[str], str], size: int
) -> None:
    queue = unique("frames")

    def scenario(play: Play) -> Steps:
        channel = yield play.channel
        yield partial(channel.queue_declare, queue)
        inbox = Inbox()
        yield partial(channel.basic_consume, queue, inbox.put_delivery, auto_ack=True)
        body = (bytes(range(256)) * (size // 256 + 1))[:size]
        channel.basic_publish("", queue, body)
        channel.basic_publish("", queue, b"next")
        deliveries = yield inbox.holds(2)
        assert [delivery.body for delivery in deliveries] == [body, b"next"]

    play(adapter, broker_url, scenario, frame_max=4096)


def test_get_recover_and_transaction(adapter: Adapter, broker_url: str, unique: Callable[[str], str]) -> None:
    queue = unique("steps")

    def scenario(play: Play) -> Steps:
        channel = yield play.channel
        yield partial(channel.queue_declare, queue)
        empty = Inbox()
        channel.add_callback(empty.put, [pika.spec.Basic.GetEmpty])
        channel.basic_get(queue, Inbox().put_delivery)
        yield empty.holds(1)

        yield channel.tx_select
        channel.basic_publish("", queue, b"given up")
        yield channel.tx_rollback
        channel.basic_publish("", queue, b"kept")
        yield channel.tx_commit

        got = Inbox()
        channel.basic_get(queue, got.put_delivery)
        [first] = yield got.holds(1)
        assert (first.body, first.method.message_count, first.method.redelivered) == (b"kept", 0, False)
        yield partial(channel.basic_recover, True)
        channel.basic_get(queue, got.put_delivery)
        [_, second] = yield got.holds(2)
        assert (second.body, second.method.delivery_tag, second.method.redelivered) == (b"kept", 2, True)

    play(adapter, broker_url, scenario)


def test_channel_error_is_told_and_the_connection_goes_on(
    adapter: Adapter, broker_url: str, unique: Callable[[str], str]
) -> None:
    """What is sent before the error is known is thrown away with the channel; other channels notice nothing."""
    missing, queue = unique("missing"), unique("present")

    def scenario(play: Play) -> Steps:
        bystander = yield play.channel
        yield partial(bystander.queue_declare, queue)
        channel = yield play.channel
        closed = Inbox()
        channel.add_on_close_callback(closed.put)
        channel.basic_consume(missing, Inbox().put_delivery)
        channel.basic_publish("", queue, b"thrown away")
        [error] = yield closed.holds(1)
        assert isinstance(error, pika.exceptions.ChannelClosedByBroker)
        assert (error.reply_code, channel.is_closed) == (404, True)

        channel = yield play.channel
        yield partial(channel.confirm_delivery, closed.put)
        channel.basic_publish("", queue, b"arrives")
        yield closed.holds(2)
        declared = yield partial(bystander.queue_declare, queue, passive=True)
        assert declared.method.message_count == 1

    play(adapter, broker_url, scenario)


def test_broker_cancels_the_consumers_of_a_deleted_queue(
    adapter: Adapter, broker_url: str, unique: Callable[[str], str]
) -> None:
    queue = unique("deleted")

    def scenario(play: Play) -> Steps:
        channel = yield play.channel
        cancelled = Inbox()
        channel.add_on_cancel_callback(cancelled.put)
        yield partial(channel.queue_declare, queue)
        yield partial(channel.basic_consume, queue, Inbox().put_delivery, consumer_tag="watcher")
        other = yield play.channel
        yield partial(other.queue_delete, queue)
        [frame] = yield cancelled.holds(1)
        assert frame.method.consumer_tag == "watcher"
        yield partial(channel.queue_declare, queue)
        yield partial(channel.basic_consume, queue, Inbox().put_delivery, consumer_tag="watcher")

    play(adapter, broker_url, scenario)


def test_hard_error_is_told_with_its_code(adapter: Adapter, broker_url: str) -> None:
    def scenario(play: Play) -> Steps:
        channel = yield play.channel
        channel.flow(False, callback=lambda active: None)
        error = yield play.closed
        assert isinstance(error, pika.exceptions.ConnectionClosedByBroker)
        assert (error.reply_code, error.reply_text) == (540, "NOT_IMPLEMENTED - active=false")

    play(adapter, broker_url, scenario)


def test_update_secret_and_flow_are_answered(adapter: Adapter, broker_url: str) -> None:
    def scenario(play: Play) -> Steps:
        updated = yield partial(play.connection.update_secret, "new token", "expires soon")
        assert isinstance(updated.method, pika.spec.Connection.UpdateSecretOk)
        channel = yield play.channel
        active = yield partial(channel.flow, True)
        assert active is True

    play(adapter, broker_url, scenario)


def test_wrong_password_is_an_open_error(adapter: Adapter, broker_url: str) -> None:
    def scenario(play: Play) -> Steps:
        yield play.channel
        raise AssertionError("logged in")

    with pytest.raises(pika.exceptions.AMQPConnectionError, match="Login was refused"):
        play(adapter, broker_url, scenario, credentials=pika.PlainCredentials("guest", "wrong"))


def test_lost_connection_is_told_and_its_message_comes_back(
    adapter: Adapter, broker_url: str, unique: Callable[[str], str], proxy: CuttableProxy
) -> None:
    queue = unique("survives")

    def first_life(play: Play) -> Steps:
        channel = yield play.channel
        yield partial(channel.queue_declare, queue)
        inbox = Inbox()
        yield partial(channel.basic_consume, queue, inbox.put_delivery)
        channel.basic_publish("", queue, b"held")
        yield inbox.holds(1)
        proxy.cut()
        error = yield play.closed
        assert isinstance(error, pika.exceptions.StreamLostError)

    def second_life(play: Play) -> Steps:
        channel = yield play.channel
        inbox = Inbox()
        yield partial(channel.basic_consume, queue, inbox.put_delivery, auto_ack=True)
        [delivery] = yield inbox.holds(1)
        assert (delivery.body, delivery.method.redelivered) == (b"held", True)

    play(adapter, proxy.url, first_life)
    play(adapter, broker_url, second_life)
