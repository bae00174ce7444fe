"""x-delayed-message: messages with a header x-delay come later (RabbitMQ: XT-18 to XT-21)."""

import pytest

from leveret_protocol.fields import Field, table
from leveret_protocol.methods import Basic, Confirm, Exchange, Queue, Tx, make
from tests.harness import BrokerHarness, Client


@pytest.fixture
def client(client: Client) -> Client:
    """Delayed direct exchange x, which leads to q by k."""
    client.declare_exchange("x", "x-delayed-message", {"x-delayed-type": "direct"})
    client.declare("q")
    client.bind("q", "x", "k")
    return client


def publish(client: Client, body: bytes, delay_ms: int = 1000, key: str = "k", exchange: str = "x") -> None:
    client.publish(exchange, key, body, headers={"x-delay": delay_ms})


def test_a_message_comes_when_it_is_due(client: Client, harness: BrokerHarness) -> None:
    """XT-20: the header is negative then."""
    client.publish("x", "k", b"later", headers={"z": 1, "x-delay": 1000, "a": 2}, message_id="m")
    harness.advance(0.5)
    assert client.counts("q") == (0, 0)
    harness.advance(0.5)
    got = client.get("q")
    assert isinstance(got.method, Basic.GetOk)
    assert (got.body, got.method.exchange, got.method.routing_key) == (b"later", "x", "k")
    assert got.properties.headers == {"a": Field("I", 2), "x-delay": Field("l", -1000), "z": Field("I", 1)}
    assert got.properties.message_id == "m"


def test_a_waiting_consumer_gets_it(client: Client, other: Client, harness: BrokerHarness) -> None:
    other.consume("q", no_ack=True)
    publish(client, b"2", 2000)
    publish(client, b"1", 1000)
    client.publish("x", "k", b"now")
    assert other.bodies() == [b"now"]
    harness.advance(1.0)
    assert other.bodies() == [b"1"]
    harness.advance(1.0)
    assert other.bodies() == [b"2"]


def test_it_is_confirmed_at_once_and_returned_though_it_comes_later(client: Client, harness: BrokerHarness) -> None:
    """XT-21."""
    client.call(make(Confirm.Select), Confirm.SelectOk)
    client.publish("x", "k", b"x", headers={"x-delay": 1000}, mandatory=True)
    returned, confirmed = client.received()
    assert isinstance(returned.method, Basic.Return)
    assert (returned.method.reply_code, returned.headers) == (312, {"x-delay": 1000})
    assert isinstance(confirmed.method, Basic.Ack)
    harness.advance(1.0)
    assert client.drain("q") == [b"x"]


def test_what_is_unroutable_when_it_is_due_is_dropped_without_a_word(client: Client, harness: BrokerHarness) -> None:
    publish(client, b"x", key="nowhere")
    harness.advance(1.0)
    client.assert_silent()


def test_the_alternate_exchange_gets_it_at_once_and_the_queue_later(client: Client, harness: BrokerHarness) -> None:
    """As seen with the plugin on RabbitMQ 3.10.8: while it waits it is as unroutable as it can be."""
    client.declare_exchange("ae", "fanout")
    client.declare("lost")
    client.bind("lost", "ae")
    client.declare_exchange("y", "x-delayed-message", {"x-delayed-type": "direct", "alternate-exchange": "ae"})
    client.bind("q", "y", "k")
    for key in ("k", "other"):
        client.publish("y", key, key.encode(), headers={"x-delay": 1000}, mandatory=True)
    client.assert_silent()
    assert (client.drain("q"), client.drain("lost")) == ([], [b"k", b"other"])
    harness.advance(1.0)
    assert (client.drain("q"), client.drain("lost")) == ([b"k"], [b"other"])


def test_behind_another_exchange_it_delays_and_others_get_the_message_at_once(
    client: Client, harness: BrokerHarness
) -> None:
    """As seen with the plugin on RabbitMQ 3.10.8."""
    client.declare_exchange("first", "fanout")
    client.declare("now")
    client.bind("now", "first")
    client.bind_exchange("x", "first")
    for body in (b"1", b"2"):
        client.publish("first", "k", body, headers={"x-delay": 1000}, mandatory=True)
    client.assert_silent()
    assert client.get("now").headers == {"x-delay": 1000}
    assert client.drain("q") == []
    harness.advance(1.0)
    assert client.drain("q") == [b"1", b"2"]


def test_late_messages_go_on_through_exchanges_and_are_not_delayed_again(
    client: Client, harness: BrokerHarness
) -> None:
    client.declare_exchange("second", "x-delayed-message", {"x-delayed-type": "fanout"})
    client.declare("behind")
    client.bind("behind", "second")
    client.bind_exchange("second", "x", "k")
    publish(client, b"x")
    harness.advance(1.0)
    assert (client.drain("q"), client.drain("behind")) == ([b"x"], [b"x"])


def test_a_dead_letter_is_delayed_and_keeps_its_story(client: Client, harness: BrokerHarness) -> None:
    """As seen with the plugin on RabbitMQ 3.10.8."""
    client.declare("work", arguments={"x-dead-letter-exchange": "x", "x-dead-letter-routing-key": "k"})
    publish(client, b"x", key="work", exchange="")
    client.reject(client.get("work", no_ack=False).delivery_tag, requeue=False)
    assert client.counts("q") == (0, 0)
    harness.advance(1.0)
    letter = client.get("q")
    assert (letter.headers["x-delay"], letter.headers["x-death"][0]["queue"]) == (-1000, "work")


def test_a_late_message_that_dies_again_counts_on(client: Client, harness: BrokerHarness) -> None:
    """The history of a dead letter that was held is believed; its delay is over for good."""
    client.declare("work", arguments={"x-dead-letter-exchange": "x"})
    client.bind("work", "x", "work")
    publish(client, b"x", key="work", exchange="")
    client.reject(client.get("work", no_ack=False).delivery_tag, requeue=False)
    harness.advance(1.0)
    client.reject(client.get("work", no_ack=False).delivery_tag, requeue=False)
    assert [death["count"] for death in client.get("work").headers["x-death"]] == [2]


def test_cc_and_bcc_are_keys_when_it_is_due(client: Client, harness: BrokerHarness) -> None:
    client.declare("hidden")
    client.bind("hidden", "x", "bcc")
    headers = {"x-delay": 1000, "CC": ["k"], "BCC": ["bcc"]}
    client.publish("x", "nowhere", b"x", headers=headers)
    harness.advance(1.0)
    assert client.get("q").headers == client.get("hidden").headers == {"x-delay": -1000, "CC": ["k"]}


def test_a_publish_that_is_rolled_back_comes_all_the_same(client: Client, harness: BrokerHarness) -> None:
    """As seen with the plugin on RabbitMQ 3.10.8: it was routed, and so it was held."""
    client.call(make(Tx.Select), Tx.SelectOk)
    publish(client, b"x")
    client.call(make(Tx.Rollback), Tx.RollbackOk)
    harness.advance(1.0)
    assert client.drain("q", channel=2) == [b"x"]


def test_its_life_in_the_queue_begins_when_it_gets_there(client: Client, harness: BrokerHarness) -> None:
    client.publish("x", "k", b"x", headers={"x-delay": 5000}, expiration="1000")
    harness.advance(5.5)
    assert client.counts("q") == (1, 0)
    harness.advance(0.5)
    assert client.counts("q") == (0, 0)


def test_a_queue_that_came_back_gets_it(client: Client, harness: BrokerHarness) -> None:
    """XT-19: the bindings of the moment when it is due."""
    publish(client, b"x")
    client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
    client.declare("q")
    client.bind("q", "x", "k")
    harness.advance(1.0)
    assert client.drain("q") == [b"x"]


def test_a_publisher_that_is_gone_is_not_missed(client: Client, other: Client, harness: BrokerHarness) -> None:
    publish(other, b"x")
    other.close()
    harness.advance(1.0)
    assert client.drain("q") == [b"x"]


def test_deleting_the_exchange_drops_what_it_holds(client: Client, harness: BrokerHarness) -> None:
    """XT-21."""
    publish(client, b"x")
    client.call(make(Exchange.Delete, exchange="x"), Exchange.DeleteOk)
    client.declare_exchange("x", "x-delayed-message", {"x-delayed-type": "direct"})
    client.bind("q", "x", "k")
    harness.advance(1.0)
    assert client.drain("q") == []


def test_the_inner_type_is_required(client: Client) -> None:
    """XT-18."""
    client.refused(
        make(Exchange.Declare, exchange="y", exchange_type="x-delayed-message"),
        "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type",
    )
    client.refused(
        make(
            Exchange.Declare,
            exchange="y",
            exchange_type="x-delayed-message",
            arguments=table({"x-delayed-type": "bogus"}),
        ),
        "PRECONDITION_FAILED - unknown exchange type 'bogus'",
    )
    assert not client.has_exchange("y")
