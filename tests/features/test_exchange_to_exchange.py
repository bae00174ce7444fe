"""exchange.bind: exchanges as destinations."""

import pytest

from leveret_protocol.methods import Basic, Exchange, Frame, make
from tests.harness import Client

DEFAULT_EXCHANGE = "ACCESS_REFUSED - operation not permitted on the default exchange"


@pytest.fixture
def client(client: Client) -> Client:
    """Exchanges a and b, and a queue bound to b."""
    client.declare_exchange("a", "topic")
    client.declare_exchange("b", "fanout")
    client.declare("q")
    client.bind("q", "b")
    return client


def unbind(client: Client, destination: str, source: str, routing_key: str = "") -> None:
    method = make(Exchange.Unbind, destination=destination, source=source, routing_key=routing_key)
    client.call(method, Exchange.UnbindOk)


def test_a_message_goes_on_to_the_destination(client: Client) -> None:
    client.bind_exchange("b", "a", "k.*")
    client.publish("a", "k.1", b"yes", mandatory=True)
    client.publish("a", "no", b"no")
    client.assert_silent()
    got = client.get("q")
    assert isinstance(got.method, Basic.GetOk)
    assert (got.body, got.method.exchange, got.method.routing_key) == (b"yes", "a", "k.1")
    assert client.counts("q") == (0, 0)


def test_bindings_made_later_on_the_way_count(client: Client) -> None:
    client.bind_exchange("b", "a", "#")
    client.publish("a", "k", b"1")
    client.declare("late")
    client.bind("late", "b")
    client.publish("a", "k", b"2")
    assert (client.drain("q"), client.drain("late")) == ([b"1", b"2"], [b"2"])


def test_binding_twice_is_binding_once(client: Client) -> None:
    """RabbitMQ: EX-22."""
    client.bind_exchange("b", "a", "#")
    client.bind_exchange("b", "a", "#")
    client.publish("a", "k", b"x")
    assert client.drain("q") == [b"x"]
    unbind(client, "b", "a", "#")
    client.publish("a", "k", b"x", mandatory=True)
    assert [type(it.method) for it in client.received()] == [Basic.Return]


def test_unbinding_what_is_not_bound_is_fine(client: Client) -> None:
    """RabbitMQ: EX-21, EX-22."""
    unbind(client, "b", "a", "never bound")
    unbind(client, "nosuch", "a")
    unbind(client, "b", "nosuch")


def test_a_queue_that_is_reached_by_several_ways_gets_one_copy(client: Client) -> None:
    """RabbitMQ: EX-23."""
    client.bind("q", "a", "#")
    client.bind_exchange("b", "a", "#")
    client.bind_exchange("b", "a", "k")
    client.publish("a", "k", b"x")
    assert client.drain("q") == [b"x"]


def test_circles_end(client: Client) -> None:
    """RabbitMQ: EX-22, EX-23."""
    client.bind_exchange("b", "a", "#")
    client.bind_exchange("a", "b")
    client.bind_exchange("a", "a", "#")
    client.publish("a", "k", b"1")
    client.publish("b", "k", b"2")
    assert client.drain("q") == [b"1", b"2"]


def test_a_headers_exchange_on_the_way_looks_at_each_message(client: Client) -> None:
    client.declare_exchange("h", "headers")
    client.bind_exchange("h", "a", "#")
    client.bind("q", "h", arguments={"a": 1})
    client.publish("a", "k", b"yes", headers={"a": 1})
    client.publish("a", "k", b"no", headers={"a": 2})
    client.publish("a", "k", b"no")
    assert client.drain("q") == [b"yes"]


def test_deleting_an_exchange_takes_its_bindings_in_both_directions(client: Client) -> None:
    """RabbitMQ: EX-17: declared again, it is not bound."""
    client.bind_exchange("b", "a", "#")
    client.call(make(Exchange.Delete, exchange="b"), Exchange.DeleteOk)
    client.publish("a", "k", b"x", mandatory=True)
    assert [type(it.method) for it in client.received()] == [Basic.Return]
    client.declare_exchange("b", "fanout")
    client.publish("a", "k", b"x", mandatory=True)
    client.publish("b", "k", b"x", mandatory=True)
    assert [type(it.method) for it in client.received()] == [Basic.Return, Basic.Return]


@pytest.mark.parametrize("cls", [Exchange.Bind, Exchange.Unbind], ids=lambda cls: cls.name)
@pytest.mark.parametrize(("source", "destination"), [("", "a"), ("a", ""), ("", ""), ("", "nosuch")])
def test_the_default_exchange_takes_no_part(client: Client, cls: type[Frame], source: str, destination: str) -> None:
    """RabbitMQ: EX-20, before existence."""
    client.refused(make(cls, source=source, destination=destination), DEFAULT_EXCHANGE)


@pytest.mark.parametrize(("source", "destination"), [("nosuch", "a"), ("a", "nosuch")])
def test_both_ends_have_to_be_there(client: Client, source: str, destination: str) -> None:
    """RabbitMQ: EX-21."""
    client.refused(
        make(Exchange.Bind, source=source, destination=destination), "NOT_FOUND - no exchange 'nosuch' in vhost '/'"
    )


def test_an_internal_exchange_is_reached_by_bindings(client: Client) -> None:
    """RabbitMQ: EX-19."""
    client.declare_exchange("inner", "fanout", internal=True)
    client.bind("q", "inner")
    client.bind_exchange("inner", "a", "#")
    client.publish("a", "k", b"x")
    assert client.drain("q") == [b"x"]
