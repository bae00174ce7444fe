"""x-recent-history: a new binding gets what passed last (RabbitMQ: section 5.6)."""

import pytest

from leveret_protocol.fields import table
from leveret_protocol.methods import Basic, Exchange, Queue, Tx, make
from tests.harness import BrokerHarness, Client


@pytest.fixture
def client(client: Client) -> Client:
    """Exchange x that keeps three messages, and queue q, not bound to it."""
    client.declare_exchange("x", "x-recent-history", {"x-recent-history-length": 3})
    client.declare("q")
    return client


def publish(client: Client, *bodies: bytes, exchange: str = "x") -> None:
    for body in bodies:
        client.publish(exchange, body.decode(), body)


def test_a_new_binding_gets_the_last_messages_the_oldest_first(client: Client) -> None:
    publish(client, b"1", b"2", b"3", b"4", b"5")
    client.bind("q", "x")
    got = client.get("q")
    assert isinstance(got.method, Basic.GetOk)
    assert (got.body, got.method.exchange, got.method.routing_key, got.redelivered) == (b"3", "x", "3", False)
    publish(client, b"6")
    assert client.drain("q") == [b"4", b"5", b"6"]


def test_binding_again_brings_nothing_and_another_binding_everything(client: Client) -> None:
    publish(client, b"1", b"2")
    client.bind("q", "x")
    client.bind("q", "x")
    assert client.drain("q") == [b"1", b"2"]
    client.bind("q", "x", "other key")
    assert client.drain("q") == [b"1", b"2"]
    client.call(make(Queue.Unbind, queue="q", exchange="x"), Queue.UnbindOk)
    client.bind("q", "x")
    assert client.drain("q") == [b"1", b"2"]


def test_each_message_is_kept_once_and_those_before_are_not_remembered_for_others(client: Client) -> None:
    """Behind an exchange that decides by the key, no route may be remembered, nor tried."""
    client.declare_exchange("first", "direct")
    client.bind_exchange("x", "first", "1")
    publish(client, b"1", b"1", exchange="first")
    client.bind("q", "x")
    assert client.drain("q") == [b"1", b"1"]


def test_a_waiting_consumer_gets_the_history(client: Client, other: Client) -> None:
    other.consume("q", "c", no_ack=True)
    publish(client, b"1", b"2")
    client.bind("q", "x")
    assert other.bodies() == [b"1", b"2"]


def test_a_new_binding_to_an_exchange_routes_the_history_through_it(client: Client) -> None:
    """As seen on RabbitMQ 3.10.8: the newest first. What leads nowhere there is dropped; RabbitMQ fails with 541."""
    client.declare_exchange("last", "topic")
    client.bind("q", "last", "#.cc")
    client.publish("x", "a", b"1", headers={"CC": ["b.cc"]})
    client.publish("x", "b.cc", b"2")
    client.publish("x", "c", b"3")
    client.bind_exchange("last", "x")
    assert client.drain("q") == [b"2", b"1"]
    client.publish("x", "d.cc", b"4")
    assert client.drain("q") == [b"4"]


def test_bcc_counts_for_the_history_and_stays_hidden(client: Client) -> None:
    """As seen on RabbitMQ 3.10.8."""
    client.declare_exchange("last", "direct")
    client.bind("q", "last", "hidden")
    client.publish("x", "a", b"1", headers={"BCC": ["hidden"], "subject": "s"})
    client.bind_exchange("last", "x")
    assert client.get("q").headers == {"subject": "s"}


def test_bound_to_itself_it_passes_its_history_once_more(client: Client) -> None:
    """As seen on RabbitMQ 3.10.8."""
    client.bind("q", "x")
    publish(client, b"1")
    client.bind_exchange("x", "x")
    assert client.drain("q") == [b"1", b"1"]
    client.declare("late")
    client.bind("late", "x")
    assert client.drain("late") == [b"1", b"1"]


def test_a_message_may_ask_not_to_be_kept(client: Client) -> None:
    client.bind("q", "x")
    client.publish("x", "", b"1", headers={"x-recent-history-no-store": True})
    client.publish("x", "", b"2", headers={"x-recent-history-no-store": False})
    assert client.drain("q") == [b"1", b"2"]
    client.declare("late")
    client.bind("late", "x")
    assert client.drain("late") == [b"2"]


def test_the_life_of_a_kept_message_begins_in_each_queue_anew(client: Client, harness: BrokerHarness) -> None:
    client.publish("x", "", b"1", expiration="1000")
    harness.advance(5.0)
    client.bind("q", "x")
    harness.advance(0.5)
    assert client.counts("q") == (1, 0)
    harness.advance(0.5)
    assert client.counts("q") == (0, 0)


def test_a_publish_that_is_rolled_back_is_kept(client: Client) -> None:
    """As seen on RabbitMQ 3.10.8: it was routed."""
    client.call(make(Tx.Select), Tx.SelectOk)
    publish(client, b"1")
    client.call(make(Tx.Rollback), Tx.RollbackOk)
    client.bind("q", "x")
    assert client.drain("q") == [b"1"]


def test_what_a_full_queue_dead_letters_into_it_is_kept(client: Client) -> None:
    client.declare("full", arguments={"x-dead-letter-exchange": "x", "x-max-length": 0})
    client.publish("", "full", b"1")
    client.bind("q", "x")
    assert client.get("q").headers["x-death"][0]["reason"] == "maxlen"


def test_a_deleted_exchange_forgets(client: Client) -> None:
    publish(client, b"1")
    client.call(make(Exchange.Delete, exchange="x"), Exchange.DeleteOk)
    client.declare_exchange("x", "x-recent-history")
    client.bind("q", "x")
    assert client.drain("q") == []


def test_a_length_below_one_is_refused(client: Client) -> None:
    client.refused(
        make(
            Exchange.Declare,
            exchange="y",
            exchange_type="x-recent-history",
            arguments=table({"x-recent-history-length": 0}),
        ),
        "PRECONDITION_FAILED - Invalid argument 0, 'x-recent-history-length' must be a positive integer",
    )
    assert not client.has_exchange("y")
