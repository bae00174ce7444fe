"""Channels come and go: opening, closing from either side, and what is thrown away in between."""

import pytest

from leveret_protocol import methods
from leveret_protocol.methods import Basic, Channel, Confirm, Connection, Frame, Queue, encode_method, make
from tests.harness import Client

BAD_DECLARE = make(Queue.Declare, queue="amq.mine")
BAD_DECLARE_TEXT = "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'"


def make_close() -> Channel.Close:
    return make(Channel.Close, reply_code=200, reply_text="bye")


def test_open_ok_carries_an_empty_long_string(client: Client) -> None:
    """RabbitMQ: CH-5."""
    client.send(make(Channel.Open), channel=3)
    assert client.received_bytes() == b"\x01\x00\x03\x00\x00\x00\x08\x00\x14\x00\x0b\x00\x00\x00\x00\xce"


@pytest.mark.parametrize(
    "cls", [cls for cls in methods.METHODS.values() if cls not in (Channel.Open, Basic.Publish)], ids=lambda c: c.name
)
def test_the_first_method_on_a_number_is_open(client: Client, cls: type[Frame]) -> None:
    """RabbitMQ: CH-1. Methods of the connection class are no exception."""
    client.send(make(cls), channel=9)
    if cls in (Basic.Return, Basic.Deliver, Basic.GetOk):
        client.send_bytes(client.content(b"x", channel=9))
    client.expect_connection_close("CHANNEL_ERROR - expected 'channel.open'", cls)


def test_a_publish_on_an_unopened_channel_is_refused_after_its_content(client: Client) -> None:
    client.declare("q")
    publish = client.published("", "q", b"hello", channel=9)
    client.send_bytes(publish[:-1])
    client.assert_silent()
    client.send_bytes(publish[-1:])
    client.expect_connection_close("CHANNEL_ERROR - expected 'channel.open'", Basic.Publish)


def test_a_second_open_closes_the_connection(client: Client) -> None:
    """RabbitMQ: CH-2."""
    client.send(make(Channel.Open))
    client.expect_connection_close("CHANNEL_ERROR - second 'channel.open' seen", Channel.Open)


@pytest.mark.parametrize("cls", [Queue.Declare, Basic.Publish, Channel.Open, Channel.Close], ids=lambda cls: cls.name)
def test_methods_of_channels_are_out_of_place_on_channel_0(client: Client, cls: type[Frame]) -> None:
    """RabbitMQ: section 1.6."""
    client.send(make(cls), channel=0)
    client.expect_connection_close("CHANNEL_ERROR - unexpected method in connection state running", cls)


@pytest.mark.parametrize("cls", [Connection.Close, Connection.Open, Connection.StartOk], ids=lambda cls: cls.name)
def test_methods_of_the_connection_are_unknown_on_an_open_channel(client: Client, cls: type[Frame]) -> None:
    """RabbitMQ: section 1.6."""
    client.send(make(cls))
    client.expect_connection_close("COMMAND_INVALID - unimplemented method", cls)


def test_a_number_is_free_again_after_close_ok(client: Client) -> None:
    client.declare("q")
    client.close_channel()
    client.open(1)
    client.refused(make(Queue.Purge, queue=""), "NOT_FOUND - no previously declared queue")


def test_after_channel_close_the_broker_discards_all_until_close_ok(client: Client) -> None:
    """RabbitMQ: M-1, with everything in one piece."""
    client.declare("q")
    client.send_bytes(
        encode_method(1, BAD_DECLARE)
        + encode_method(1, make(Queue.Declare, queue="amq.again"))
        + encode_method(1, make(Queue.Delete, queue="q"))
        + client.published("", "q", b"lost")
        + encode_method(1, make(Connection.Close))
        + encode_method(1, make(Basic.QosOk))
        + encode_method(1, make(Channel.CloseOk))
        + encode_method(1, make(Channel.Open))
    )
    answers = [type(it.method) for it in client.received()]
    assert answers == [Channel.Close, Channel.OpenOk]
    assert client.counts("q") == (0, 0)


def test_other_channels_go_on_after_an_error(client: Client) -> None:
    client.send(BAD_DECLARE)
    client.received()
    client.declare("q", channel=2)
    assert client.counts("q", channel=2) == (0, 0)


def test_closing_from_both_sides_waits_for_the_brokers_close_ok(client: Client) -> None:
    """RabbitMQ: M-2."""
    client.send(BAD_DECLARE)
    client.expect(Channel.Close)
    client.call(make_close(), Channel.CloseOk)
    client.call(make_close(), Channel.CloseOk)
    client.send(make(Channel.CloseOk))
    client.open(1)


def test_opening_while_the_brokers_close_is_outstanding_is_a_second_open(client: Client) -> None:
    """RabbitMQ: M-2."""
    client.send(BAD_DECLARE)
    client.expect(Channel.Close)
    client.call(make_close(), Channel.CloseOk)
    client.send(make(Channel.Open))
    client.expect_connection_close("CHANNEL_ERROR - second 'channel.open' seen", Channel.Open)


def test_everything_a_channel_held_is_given_back_before_close_ok(client: Client, other: Client) -> None:
    """RabbitMQ: M-3."""
    client.declare("temporary", auto_delete=True)
    client.declare("q")
    client.publish("", "q", b"held")
    client.consume("temporary")
    client.consume("q")
    client.deliveries()
    client.close_channel()
    assert not other.has_queue("temporary")
    assert other.counts("q") == (1, 0)
    assert other.get("q").redelivered


def test_confirms_that_are_due_are_not_told_on_a_closed_channel(client: Client) -> None:
    """RabbitMQ: M-3."""
    client.call(make(Confirm.Select), Confirm.SelectOk)
    client.send_bytes(client.published("", "nowhere") + encode_method(1, make_close()))
    client.expect(Channel.CloseOk)


def test_close_ok_without_a_close_is_unknown(client: Client) -> None:
    """RabbitMQ: M-4."""
    client.send(make(Channel.CloseOk))
    client.expect_connection_close("COMMAND_INVALID - unimplemented method", Channel.CloseOk)


def test_nowait_suppresses_the_reply_but_not_the_error(client: Client) -> None:
    """RabbitMQ: M-6."""
    client.send(make(Queue.Declare, queue="q", nowait=True))
    client.send(make(Basic.Consume, queue="q", consumer_tag="t", nowait=True))
    client.send(make(Basic.Cancel, consumer_tag="t", nowait=True))
    client.send(make(Queue.Bind, queue="q", exchange="amq.fanout", nowait=True))
    client.send(make(Queue.Purge, queue="q", nowait=True))
    client.send(make(methods.Exchange.Declare, exchange="x", exchange_type="fanout", nowait=True))
    client.send(make(methods.Exchange.Bind, source="x", destination="amq.fanout", nowait=True))
    client.send(make(methods.Exchange.Unbind, source="x", destination="amq.fanout", nowait=True))
    client.send(make(methods.Exchange.Delete, exchange="x", nowait=True))
    client.send(make(Queue.Delete, queue="q", nowait=True))
    client.send(make(Confirm.Select, nowait=True))
    client.assert_silent()
    client.refused(make(Queue.Declare, queue="amq.mine", nowait=True), BAD_DECLARE_TEXT)


def test_replies_keep_the_order_of_the_requests(client: Client) -> None:
    """RabbitMQ: M-8, M-9."""
    client.send(
        make(Queue.Declare, queue="q"),
        make(Queue.Bind, queue="q", exchange="amq.fanout"),
        make(Basic.Qos, prefetch_count=1),
        make(Basic.Get, queue="q"),
        make(Queue.Delete, queue="q"),
    )
    answers = [type(it.method) for it in client.received()]
    assert answers == [Queue.DeclareOk, Queue.BindOk, Basic.QosOk, Basic.GetEmpty, Queue.DeleteOk]


def test_flow_can_be_asked_on_but_not_off(client: Client) -> None:
    """RabbitMQ: CF-1."""
    assert client.call(make(Channel.Flow, active=True), Channel.FlowOk).active is True
    client.send(make(Channel.Flow, active=False))
    client.expect_connection_close("NOT_IMPLEMENTED - active=false", Channel.Flow)


def test_access_is_always_granted(client: Client) -> None:
    """RabbitMQ: M-7."""
    assert client.call(make(methods.Access.Request, realm="/data"), methods.Access.RequestOk).ticket == 1


def test_tickets_are_ignored(client: Client) -> None:
    """RabbitMQ: M-7."""
    client.call(make(Queue.Declare, ticket=65535, queue="q"), Queue.DeclareOk)
