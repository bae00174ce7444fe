"""pika, blocking: the event exchange, which tells what happens in the broker (RabbitMQ: rabbitmq_event_exchange)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.scenarios.blocking import Consumer, Delivery, wait_until
from interop.scenarios.conftest import Connect

EVENTS = "amq.rabbitmq.event"


class Listener:
    """Consumes events of some keys. Others use the broker too, so each test picks out its own."""

    def __init__(self, channel: BlockingChannel, *keys: str) -> None:
        queue = channel.queue_declare("", exclusive=True).method.queue
        for key in keys:
            channel.queue_bind(queue, EVENTS, key)
        self._consumer = Consumer(channel, queue, auto_ack=True)

    def wait_for(self, key: str, **details: object) -> Delivery:
        """The first event of this key that has these details."""
        found: list[Delivery] = []

        def has_come() -> bool:
            found[:] = [it for it in self._consumer.deliveries if it.method.routing_key == key and _has(it, details)]
            return bool(found)

        wait_until(self._consumer.channel.connection, has_come)
        return found[0]

    def keys(self, **details: object) -> list[str]:
        """Those of the events with these details that have come."""
        return [it.method.routing_key for it in self._consumer.deliveries if _has(it, details)]


def _has(event: Delivery, details: dict[str, object]) -> bool:
    return all(event.properties.headers.get(name) == value for name, value in details.items())


def test_the_life_of_a_queue(connect: Connect, channel: BlockingChannel, unique: Callable[[str], str]) -> None:
    listener = Listener(channel, "queue.*", "binding.*", "consumer.*")
    name = unique("queue")
    user = connect().channel()
    user.queue_declare(name, durable=True, arguments={"x-max-length": 10})
    user.queue_bind(name, "amq.topic", "a.*", {"why": "because"})
    tag = user.basic_consume(name, lambda *_: None)
    user.basic_cancel(tag)
    user.queue_unbind(name, "amq.topic", "a.*", {"why": "because"})
    user.queue_delete(name)

    created = listener.wait_for("queue.created", name=name).properties.headers
    assert created["durable"] is True
    assert (created["vhost"], created["exclusive"], created["owner_pid"]) == ("/", False, "")
    assert '{<<"x-max-length">>,signedint,10}' in created["arguments"]
    bound = listener.wait_for("binding.created", destination_name=name).properties.headers
    assert (bound["source_name"], bound["destination_kind"], bound["routing_key"]) == ("amq.topic", "queue", "a.*")
    assert bound["arguments"] == ['{<<"why">>,longstr,<<"because">>}']
    assert listener.wait_for("consumer.created", queue=name).properties.headers["consumer_tag"] == tag
    listener.wait_for("consumer.deleted", queue=name, consumer_tag=tag)
    listener.wait_for("binding.deleted", destination_name=name)
    listener.wait_for("queue.deleted", name=name)
    assert listener.keys(destination_name=name) == ["binding.created", "binding.deleted"]
    assert listener.keys(name=name) == ["queue.created", "queue.deleted"]
    assert listener.keys(user_who_performed_action="guest", queue=name) == ["consumer.created", "consumer.deleted"]


def test_the_life_of_an_exchange(connect: Connect, channel: BlockingChannel, unique: Callable[[str], str]) -> None:
    listener = Listener(channel, "exchange.*")
    name = unique("exchange")
    user = connect().channel()
    user.exchange_declare(name, "topic", auto_delete=True, arguments={"alternate-exchange": "amq.fanout"})
    user.exchange_declare(name, "topic", auto_delete=True, arguments={"alternate-exchange": "amq.fanout"})
    user.exchange_delete(name)
    created = listener.wait_for("exchange.created", name=name).properties.headers
    listener.wait_for("exchange.deleted", name=name)
    assert listener.keys(name=name) == ["exchange.created", "exchange.deleted"]
    assert {key: value for key, value in created.items() if key != "timestamp_in_ms"} == {
        "vhost": "/", "name": name, "type": "topic", "durable": False, "auto_delete": True, "internal": False,
        "arguments": ['{<<"alternate-exchange">>,longstr,<<"amq.fanout">>}'], "policy": "",
        "user_who_performed_action": "guest",
    }  # fmt: skip


def test_the_life_of_a_connection(connect: Connect, channel: BlockingChannel, unique: Callable[[str], str]) -> None:
    listener = Listener(channel, "connection.*", "channel.*", "user.#")
    own_name = unique("application")
    connection = connect(client_properties={"connection_name": own_name}, heartbeat=17)
    connection.channel().close()
    connection.close()

    created = listener.wait_for("connection.created", user_provided_name=own_name).properties.headers
    assert (created["user"], created["vhost"], created["timeout"]) == ("guest", "/", 17)
    assert (created["protocol"], created["auth_mechanism"], created["ssl"]) == ("{0,9,1}", "PLAIN", False)
    assert created["name"] == f"127.0.0.1:{created['peer_port']} -> 127.0.0.1:{created['port']}"
    assert f'{{<<"connection_name">>,longstr,<<"{own_name}">>}}' in created["client_properties"]
    logged_in = listener.wait_for("user.authentication.success", connection_name=created["name"]).properties.headers
    assert (logged_in["name"], logged_in["peer_host"]) == ("guest", "{127,0,0,1}")
    opened = listener.wait_for("channel.created", connection=created["pid"]).properties.headers
    assert (opened["number"], opened["name"]) == (1, f"{created['name']} (1)")
    listener.wait_for("channel.closed", pid=opened["pid"])
    closed = listener.wait_for("connection.closed", pid=created["pid"]).properties.headers
    assert (closed["name"], closed["node"]) == (created["name"], created["node"])


def test_a_failed_login(connect: Connect, channel: BlockingChannel, unique: Callable[[str], str]) -> None:
    listener = Listener(channel, "user.authentication.failure")
    nobody = unique("nobody")
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        connect(credentials=pika.PlainCredentials(nobody, "wrong"))
    error = listener.wait_for("user.authentication.failure", name=nobody).properties.headers["error"]
    assert "".join(map(chr, error)) == f"user '{nobody}' - invalid credentials"


def test_an_event_is_a_persistent_message_without_a_body(
    channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    listener = Listener(channel, "queue.created")
    name = unique("queue")
    channel.queue_declare(name, auto_delete=True)
    event = listener.wait_for("queue.created", name=name)
    properties: Any = event.properties
    assert (event.method.exchange, event.body, properties.delivery_mode) == (EVENTS, b"", 2)
    assert properties.timestamp == properties.headers["timestamp_in_ms"] // 1000


def test_nobody_can_publish_events(connect: Connect) -> None:
    channel = connect().channel()
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        channel.basic_publish(EVENTS, "queue.created", b"forged")
    text = f"ACCESS_REFUSED - cannot publish to internal exchange '{EVENTS}' in vhost '/'"
    assert (caught.value.reply_code, caught.value.reply_text) == (403, text)
