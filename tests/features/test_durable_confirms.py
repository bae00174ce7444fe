"""When a publisher is told that its message is safe, with a store (RabbitMQ: CFM-4, CFM-6, TX-4)."""

from __future__ import annotations

from typing import Any

import pytest

from leveret_protocol.methods import Basic, Confirm, Queue, Tx, make
from tests.harness import BrokerHarness, Client, Received


@pytest.fixture
def broker() -> BrokerHarness:
    return BrokerHarness.durable()


def all_of(client: Client, queue: str = "q") -> list[Received]:
    """The messages of a queue, which is empty then."""
    messages = []
    while client.counts(queue)[0]:
        messages.append(client.get(queue))
    return messages


def bodies(client: Client, queue: str = "q") -> list[bytes]:
    return [message.body for message in all_of(client, queue)]


def persistent(client: Client, body: bytes, queue: str = "q", exchange: str = "", **options: Any) -> None:
    client.publish(exchange, queue, body, delivery_mode=2, **options)


def confirming(client: Client) -> None:
    client.call(make(Confirm.Select), Confirm.SelectOk)


def told(client: Client) -> list[tuple[int, bool]]:
    """The confirms that have come: number, multiple."""
    methods = [received.method for received in client.received()]
    assert all(isinstance(method, Basic.Ack) for method in methods), methods
    return [(method.delivery_tag, method.multiple) for method in methods]


def test_a_confirm_waits_for_the_disk(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    confirming(client)
    persistent(client, b"one")
    client.assert_silent()
    broker.commit()
    assert told(client) == [(1, False)]


@pytest.mark.parametrize(("durable", "delivery_mode"), [(True, 1), (False, 2), (True, None)])
def test_what_is_not_kept_is_confirmed_at_once(broker: BrokerHarness, durable: bool, delivery_mode: int | None) -> None:
    client = broker.connect()
    client.declare("q", durable=durable)
    confirming(client)
    options = {} if delivery_mode is None else {"delivery_mode": delivery_mode}
    client.publish("", "q", b"one", **options)
    assert told(client) == [(1, False)]


def test_unroutable_is_confirmed_at_once(broker: BrokerHarness) -> None:
    client = broker.connect()
    confirming(client)
    persistent(client, b"one", "nowhere")
    assert told(client) == [(1, False)]


def test_confirms_of_one_commit_are_told_together(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    confirming(client)
    for _ in range(10):
        persistent(client, b"one")
    broker.commit()
    assert told(client) == [(10, True)]


def test_several_queues_all_have_to_have_it(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare_exchange("x", "fanout")
    for name, durable in (("a", True), ("b", False), ("c", True)):
        client.declare(name, durable=durable)
        client.bind(name, "x")
    confirming(client)
    persistent(client, b"one", exchange="x")
    client.assert_silent()
    broker.commit()
    assert told(client) == [(1, False)]


def test_acked_before_it_was_written_it_is_confirmed_and_never_written(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    broker.commit()
    confirming(client)
    client.consume("q")
    client.assert_silent()
    persistent(client, b"one")
    delivery = client.deliveries()[0]
    client.ack(delivery.delivery_tag)
    assert told(client) == [(1, False)]
    broker.commit()
    client.assert_silent()


@pytest.mark.parametrize("arguments", [{}, {"x-queue-type": "quorum"}])
def test_dead_lettered_before_it_was_written_it_is_confirmed_when_the_dead_letter_is_safe(
    broker: BrokerHarness, arguments: dict[str, Any]
) -> None:
    client = broker.connect()
    client.declare("dead", durable=True)
    to_dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    client.declare("q", durable=True, arguments=to_dead | arguments)
    confirming(client)
    persistent(client, b"one")
    delivery = client.get("q", no_ack=False)
    client.reject(delivery.delivery_tag, requeue=False)
    client.assert_silent()
    broker.commit()
    assert told(client) == [(1, False)]
    assert bodies(broker.killed().connect(), "dead") == [b"one"]


def test_another_connections_ack_confirms_it(broker: BrokerHarness) -> None:
    client, other = broker.connect(), broker.connect()
    client.declare("q", durable=True)
    confirming(client)
    persistent(client, b"one")
    client.assert_silent()
    other.ack(other.get("q", no_ack=False).delivery_tag)
    assert told(client) == [(1, False)]


def test_a_queue_that_is_deleted_confirms_what_it_had(broker: BrokerHarness) -> None:
    """RabbitMQ: CFM-6."""
    client, other = broker.connect(), broker.connect()
    client.declare("q", durable=True)
    confirming(client)
    persistent(client, b"one")
    client.assert_silent()
    other.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
    assert told(client) == [(1, False)]


@pytest.mark.parametrize("properties", [{"expiration": "0"}, {"headers": {"CC": ["q"]}}])
def test_properties_that_ask_for_more_make_no_difference(broker: BrokerHarness, properties: dict[str, Any]) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    confirming(client)
    persistent(client, b"one", **properties)
    broker.commit()
    assert told(client) == [(1, False)]


def test_a_refusal_is_told_at_once_and_the_other_queue_keeps_it(broker: BrokerHarness) -> None:
    """RabbitMQ: CFM-5."""
    client = broker.connect()
    client.declare_exchange("x", "fanout")
    client.declare("a", durable=True)
    client.declare("full", durable=True, arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    client.bind("a", "x")
    client.bind("full", "x")
    confirming(client)
    persistent(client, b"one", exchange="x")
    client.expect(Basic.Nack)
    broker.commit()
    client.assert_silent()
    assert bodies(broker.killed().connect(), "a") == [b"one"]


def test_commit_ok_waits_for_the_disk(broker: BrokerHarness) -> None:
    """RabbitMQ: TX-4."""
    client = broker.connect()
    client.declare("q", durable=True)
    client.call(make(Tx.Select), Tx.SelectOk)
    persistent(client, b"one")
    client.send(make(Tx.Commit))
    client.assert_silent()
    broker.commit()
    client.expect(Tx.CommitOk)


def test_commit_ok_of_a_channel_that_is_gone_goes_nowhere(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    client.call(make(Tx.Select), Tx.SelectOk)
    persistent(client, b"one")
    client.send(make(Tx.Commit))
    client.close_channel()
    broker.commit()
    client.assert_silent()


def test_confirms_of_a_connection_that_is_gone_go_nowhere(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    confirming(client)
    persistent(client, b"one")
    client.lose()
    broker.commit()
    assert bodies(broker.killed().connect()) == [b"one"]
