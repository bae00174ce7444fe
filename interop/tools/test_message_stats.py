"""What counts as what: the same story told by Leveret and by a real RabbitMQ."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pika
import pika.exceptions
import pytest

from interop.tools.conftest import POLL_SECONDS, STATISTICS_SECONDS, Api

Stats = dict[str, int]


def counted(told: dict[str, Any]) -> Stats:
    """Those that are not 0; RabbitMQ leaves them out where nothing has happened."""
    stats = told.get("message_stats", {})
    return {name: value for name, value in stats.items() if not name.endswith("_details") and value}


def expect(ask: Callable[[], Stats], expected: Stats) -> None:
    """RabbitMQ's are late."""
    deadline = time.monotonic() + STATISTICS_SECONDS
    while (found := ask()) != expected and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    assert found == expected


def test_what_counts_as_what(api: Api, vhost: str) -> None:
    name = quote(vhost, "")

    def of(path: str) -> Callable[[], Stats]:
        return lambda: counted(api.ask("GET", path))

    with api.connect(vhost) as connection:
        publisher, tx, confirming = connection.channel(), connection.channel(), connection.channel()
        publisher.exchange_declare("x", "fanout")
        publisher.exchange_declare("on", "fanout")
        publisher.exchange_bind("on", "x")
        for queue, source in (("one", "x"), ("two", "on")):
            publisher.queue_declare(queue)
            publisher.queue_bind(queue, source)
        publisher.queue_declare("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        for _ in range(5):
            publisher.basic_publish("x", "", b"12345678")
        publisher.basic_publish("", "missing", b"")
        publisher.basic_publish("", "missing", b"", mandatory=True)
        tx.tx_select()
        tx.basic_publish("x", "", b"")
        tx.tx_rollback()
        tx.basic_publish("x", "", b"")
        tx.tx_commit()
        confirming.confirm_delivery()
        confirming.basic_publish("", "full", b"")
        with pytest.raises(pika.exceptions.NackError):
            confirming.basic_publish("", "full", b"")
        settle(connection, publisher)
        two = {"publish": 6, "deliver": 6, "deliver_get": 6, "ack": 3}
        one = {"publish": 6, "get": 3, "get_no_ack": 1, "get_empty": 1, "deliver_get": 4, "redeliver": 1, "ack": 1}
        both = {"deliver": 6, "deliver_get": 10, "get": 3, "get_no_ack": 1, "get_empty": 1, "redeliver": 1, "ack": 4}
        unroutable = {"return_unroutable": 1, "drop_unroutable": 1}
        expect(of(f"/queues/{name}/one"), one)
        expect(of(f"/queues/{name}/two"), two)
        expect(of(f"/queues/{name}/full"), {"publish": 2})
        expect(of(f"/exchanges/{name}/x"), {"publish_in": 6, "publish_out": 12})
        expect(of(f"/exchanges/{name}/on"), {})
        expect(of(f"/vhosts/{name}"), {"publish": 10, "confirm": 1, **unroutable, **both})
        channels = {"publish": 7, **unroutable, **both}, {"publish": 1}, {"publish": 2, "confirm": 1}
        for number, expected in enumerate(channels, 1):
            (path,) = (
                f"/channels/{quote(channel['name'], '')}"
                for channel in api.ask("GET", f"/vhosts/{name}/channels")
                if channel["number"] == number
            )
            expect(of(path), expected)


def settle(connection: pika.BlockingConnection, channel: Any) -> None:
    """Take from one with basic.get and from two by a consumer, which goes before it has settled everything."""
    method, _, _ = channel.basic_get("one")
    channel.basic_nack(method.delivery_tag, requeue=True)
    method, _, _ = channel.basic_get("one")
    channel.basic_ack(method.delivery_tag)
    method, _, _ = channel.basic_get("one")
    channel.basic_nack(method.delivery_tag, requeue=False)
    channel.basic_get("one", auto_ack=True)
    channel.queue_purge("one")
    channel.basic_get("one")
    tags: list[int] = []
    consumer = channel.basic_consume("two", lambda _channel, method, *_: tags.append(method.delivery_tag))
    while len(tags) < 6:
        connection.process_data_events(1)
    channel.basic_ack(tags[0])
    channel.basic_nack(tags[1], requeue=False)
    channel.basic_cancel(consumer)
    channel.basic_ack(tags[3], multiple=True)


def test_the_bytes_of_a_queue(api: Api, vhost: str) -> None:
    with api.connect(vhost) as connection:
        channel = connection.channel()
        channel.queue_declare("q", durable=True)
        channel.basic_publish("", "q", b"x" * 100, pika.BasicProperties(delivery_mode=2, headers={"not": "counted"}))
        channel.basic_publish("", "q", b"x" * 10)
        channel.basic_publish("", "q", b"x")
        channel.basic_get("q")
        expected = {
            "message_bytes": 111, "message_bytes_ready": 11, "message_bytes_unacknowledged": 100,
            "message_bytes_persistent": 100, "message_bytes_ram": 111, "messages_persistent": 1, "messages_ram": 3,
        }  # fmt: skip

        def ask() -> Stats:
            queue = api.ask("GET", f"/queues/{quote(vhost, '')}/q")
            return {name: queue.get(name) for name in expected}

        expect(ask, expected)
