"""A message's expiration holds whichever way it comes into a queue, also into one that keeps no limits of its own."""

from leveret_protocol.methods import Basic, Tx, make
from tests.harness import BrokerHarness, Client


def assert_expires(harness: BrokerHarness, client: Client) -> None:
    """The message that is in q now lives for 100 ms."""
    assert client.counts("q") == (1, 0)
    harness.advance(0.099)
    assert client.counts("q") == (1, 0)
    harness.advance(0.001)
    assert client.counts("q") == (0, 0)


def test_a_delayed_message(harness: BrokerHarness, client: Client) -> None:
    client.declare("q")
    client.declare_exchange("x", "x-delayed-message", arguments={"x-delayed-type": "fanout"})
    client.bind("q", "x")
    client.publish("x", expiration="100", headers={"x-delay": 1000})
    harness.advance(1)
    assert_expires(harness, client)


def test_a_message_of_recent_history(harness: BrokerHarness, client: Client) -> None:
    client.declare_exchange("x", "x-recent-history")
    client.publish("x", expiration="100")
    harness.advance(10)
    client.declare("q")
    client.bind("q", "x")
    assert_expires(harness, client)


def test_a_message_through_exchanges_that_are_bound_to_each_other(harness: BrokerHarness, client: Client) -> None:
    client.declare("q")
    client.declare_exchange("x", "x-recent-history")
    client.publish("x", expiration="100")
    client.declare_exchange("y", "fanout")
    client.bind("q", "y")
    client.bind_exchange("y", "x")
    assert_expires(harness, client)


def test_a_message_of_a_transaction(harness: BrokerHarness, client: Client) -> None:
    client.declare("q")
    client.call(make(Tx.Select), Tx.SelectOk)
    client.publish("", "q", expiration="100")
    harness.advance(10)
    client.call(make(Tx.Commit), Tx.CommitOk)
    assert_expires(harness, client)


def test_a_message_after_others_by_the_same_remembered_route(harness: BrokerHarness, client: Client) -> None:
    client.declare("q")
    client.publish("", "q", b"plain")
    client.publish("", "q", b"short", expiration="100")
    client.publish("", "q", b"plain")
    assert client.get("q").body == b"plain"
    harness.advance(0.1)
    assert client.get("q").body == b"plain"
    client.send(make(Basic.Get, queue="q"))
    client.expect(Basic.GetEmpty)
