"""basic.publish: where a message may go, and what comes back if it goes nowhere."""

import pytest

from leveret_protocol.methods import Basic, Confirm, Exchange, Queue, make
from tests.harness import BrokerHarness, Client


def test_a_missing_exchange_closes_the_channel(client: Client) -> None:
    """RabbitMQ: B-1."""
    client.publish("nosuch", "key", b"x")
    client.expect_channel_close("NOT_FOUND - no exchange 'nosuch' in vhost '/'", Basic.Publish)


def test_an_exchange_deleted_between_two_equal_publishes_is_missed(client: Client) -> None:
    client.declare_exchange("x")
    client.publish("x", "key")
    client.call(make(Exchange.Delete, exchange="x"), Exchange.DeleteOk)
    client.publish("x", "key")
    client.expect_channel_close("NOT_FOUND - no exchange 'x' in vhost '/'", Basic.Publish)


def test_immediate_closes_the_connection(client: Client) -> None:
    """RabbitMQ: B-2."""
    client.publish("", "q", b"x", immediate=True)
    client.expect_connection_close("NOT_IMPLEMENTED - immediate=true", Basic.Publish)


def test_immediate_is_refused_whatever_was_published_before(client: Client) -> None:
    client.declare("q")
    client.publish("", "q", b"x")
    client.publish("", "q", b"x", immediate=True)
    client.expect_connection_close("NOT_IMPLEMENTED - immediate=true", Basic.Publish)


def test_an_internal_exchange_cannot_be_published_to(client: Client) -> None:
    """RabbitMQ: EX-19."""
    client.declare_exchange("inner", internal=True)
    client.publish("inner", "key")
    client.expect_channel_close(
        "ACCESS_REFUSED - cannot publish to internal exchange 'inner' in vhost '/'", Basic.Publish
    )


@pytest.mark.parametrize("exchange", ["amq.rabbitmq.trace"])
def test_the_predeclared_internal_exchange_is_no_exception(client: Client, exchange: str) -> None:
    """RabbitMQ: XT-25."""
    client.publish(exchange, "key")
    client.expect_channel_close(
        f"ACCESS_REFUSED - cannot publish to internal exchange '{exchange}' in vhost '/'", Basic.Publish
    )


@pytest.mark.parametrize("exchange", ["", "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"])
def test_a_mandatory_message_that_goes_nowhere_comes_back_as_published(client: Client, exchange: str) -> None:
    """RabbitMQ: B-3; not mandatory, it is dropped (B-4)."""
    client.publish(exchange, "no.where", b"lost")
    client.assert_silent()
    client.publish(exchange, "no.where", b"body", mandatory=True, message_id="7", headers={"a": 1})
    (returned,) = client.received()
    assert isinstance(returned.method, Basic.Return)
    assert (returned.method.reply_code, returned.method.reply_text) == (312, "NO_ROUTE")
    assert (returned.method.exchange, returned.method.routing_key) == (exchange, "no.where")
    assert (returned.body, returned.properties.message_id, returned.headers) == (b"body", "7", {"a": 1})


def test_a_return_comes_on_the_channel_of_the_publish(client: Client) -> None:
    client.publish("", "nowhere", b"x", mandatory=True, channel=2)
    (returned,) = client.received()
    assert returned.channel == 2


def test_each_of_several_equal_mandatory_messages_is_returned(client: Client) -> None:
    client.send_bytes(client.published("", "nowhere", b"x", mandatory=True) * 3)
    assert [it.body for it in client.received()] == [b"x"] * 3


def test_a_mandatory_message_that_is_routed_does_not_come_back(client: Client) -> None:
    client.declare("q")
    client.publish("", "q", b"x", mandatory=True)
    client.assert_silent()
    assert client.drain("q") == [b"x"]


def test_whether_it_is_routed_is_decided_anew_when_bindings_change(client: Client) -> None:
    client.declare("q")
    client.publish("amq.direct", "k", b"1", mandatory=True)
    assert [it.body for it in client.received()] == [b"1"]
    client.bind("q", "amq.direct", "k")
    client.publish("amq.direct", "k", b"2", mandatory=True)
    client.assert_silent()
    client.call(make(Queue.Unbind, queue="q", exchange="amq.direct", routing_key="k"), Queue.UnbindOk)
    client.publish("amq.direct", "k", b"3", mandatory=True)
    assert [it.body for it in client.received()] == [b"3"]
    assert client.drain("q") == [b"2"]


def test_the_return_comes_before_the_ack(client: Client) -> None:
    """RabbitMQ: B-5, also for several in one turn."""
    client.call(make(Confirm.Select), Confirm.SelectOk)
    client.send_bytes(client.published("", "nowhere", b"x", mandatory=True) * 2)
    assert [type(it.method) for it in client.received()] == [Basic.Return, Basic.Return, Basic.Ack]


def test_the_routing_key_may_be_empty_or_255_bytes_long(client: Client) -> None:
    """RabbitMQ: B-8."""
    client.declare("q")
    for key in ("", "k" * 255, "ключ" * 31):
        client.bind("q", "amq.direct", key)
        client.publish("amq.direct", key, b"x")
        got = client.get("q")
        assert isinstance(got.method, Basic.GetOk)
        assert (got.method.exchange, got.method.routing_key) == ("amq.direct", key)


def test_names_in_a_publish_need_not_be_utf_8(client: Client) -> None:
    """RabbitMQ: FRM-11: any bytes are looked up, routed and returned."""
    client.publish("amq.fanout", "\udcff\udcfe", b"x", mandatory=True)
    assert b"\x02\xff\xfe" in client.received_bytes()
    client.publish("\udcff", "", b"x")
    assert b"no exchange '\xff' in vhost '/'" in client.received_bytes()


def test_a_queue_bound_twice_gets_one_copy(client: Client) -> None:
    client.declare("q")
    client.bind("q", "amq.topic", "a.*")
    client.bind("q", "amq.topic", "*.b")
    client.publish("amq.topic", "a.b", b"x")
    assert client.drain("q") == [b"x"]


def test_each_bound_queue_gets_a_copy(client: Client) -> None:
    for queue in ("q1", "q2", "q3"):
        client.declare(queue)
        client.bind(queue, "amq.fanout", "")
    client.publish("amq.fanout", "ignored", b"x")
    assert [client.drain(queue) for queue in ("q1", "q2", "q3")] == [[b"x"]] * 3


def test_the_exchange_itself_decides_which_of_equal_keys_matches(client: Client) -> None:
    """The same publish to two exchanges takes two ways."""
    client.declare("direct")
    client.declare("topic")
    client.bind("direct", "amq.direct", "a.*")
    client.bind("topic", "amq.topic", "a.*")
    for exchange in ("amq.direct", "amq.topic"):
        client.publish(exchange, "a.b", exchange.encode())
        client.publish(exchange, "a.*", exchange.encode())
    assert client.drain("direct") == [b"amq.direct"]
    assert client.drain("topic") == [b"amq.topic", b"amq.topic"]


def test_messages_of_headers_exchanges_are_looked_at_one_by_one(client: Client) -> None:
    client.declare("q")
    arguments = {"x-match": "all", "colour": "red"}
    client.bind("q", "amq.headers", arguments=arguments)
    for colour in ("red", "blue", "red"):
        client.publish("amq.headers", "same key", colour.encode(), headers={"colour": colour})
    client.publish("amq.headers", "same key", b"none")
    assert client.drain("q") == [b"red", b"red"]


def test_frames_after_a_refused_publish_are_dropped(client: Client) -> None:
    client.declare("q")
    client.send_bytes(client.published("nosuch", "") + client.published("", "q", b"x"))
    client.expect_channel_close("NOT_FOUND - no exchange 'nosuch' in vhost '/'", Basic.Publish)
    assert client.counts("q", channel=2) == (0, 0)


def test_publishing_to_somebody_elses_exclusive_queue_is_allowed(client: Client, other: Client) -> None:
    """RabbitMQ: QU-15."""
    other.declare("theirs", exclusive=True)
    client.publish("", "theirs", b"x", mandatory=True)
    client.assert_silent()
    assert other.drain("theirs") == [b"x"]


def test_users_of_one_connection_do_not_disturb_another(harness: BrokerHarness, client: Client) -> None:
    client.declare("q")
    harness.connect().publish("nosuch", "")
    client.publish("", "q", b"x")
    assert client.drain("q") == [b"x"]
