"""The alternate exchange takes what an exchange's own bindings lead nowhere."""

import pytest

from leveret_protocol.fields import Field, table
from leveret_protocol.methods import Basic, Confirm, Exchange, Queue, make
from tests.harness import Client


@pytest.fixture
def client(client: Client) -> Client:
    """Exchange x with alternate exchange ae, which leads to queue lost; x leads to q by key k."""
    client.declare_exchange("ae", "fanout")
    client.declare("lost")
    client.bind("lost", "ae")
    client.declare_exchange("x", "direct", {"alternate-exchange": "ae"})
    client.declare("q")
    client.bind("q", "x", "k")
    return client


def test_it_takes_only_what_is_not_routed(client: Client) -> None:
    client.publish("x", "k", b"found")
    client.publish("x", "other", b"lost")
    assert client.drain("q") == [b"found"]
    got = client.get("lost")
    assert isinstance(got.method, Basic.GetOk)
    assert (got.body, got.method.exchange, got.method.routing_key) == (b"lost", "x", "other")


def test_what_it_takes_counts_as_routed(client: Client) -> None:
    """RabbitMQ: B-6."""
    client.publish("x", "other", b"lost", mandatory=True)
    client.assert_silent()


def test_a_missing_one_leads_nowhere_until_it_is_declared(client: Client) -> None:
    """RabbitMQ: it need not exist at declare time; until then messages come back."""
    client.declare_exchange("y", "direct", {"alternate-exchange": "later"})
    client.publish("y", "k", b"1", mandatory=True)
    assert [it.body for it in client.received()] == [b"1"]
    client.declare_exchange("later", "fanout")
    client.bind("lost", "later")
    client.publish("y", "k", b"2", mandatory=True)
    client.assert_silent()
    client.call(make(Exchange.Delete, exchange="later"), Exchange.DeleteOk)
    client.publish("y", "k", b"3", mandatory=True)
    assert [it.body for it in client.received()] == [b"3"]
    assert client.drain("lost") == [b"2"]


def test_it_stops_taking_when_a_binding_matches(client: Client) -> None:
    client.publish("x", "new", b"1")
    client.bind("q", "x", "new")
    client.publish("x", "new", b"2")
    client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
    client.publish("x", "new", b"3")
    assert client.drain("lost") == [b"1", b"3"]


def test_alternates_of_alternates_are_asked(client: Client) -> None:
    client.declare_exchange("first", "direct", {"alternate-exchange": "second"})
    client.declare_exchange("second", "direct", {"alternate-exchange": "ae"})
    client.publish("first", "k", b"x", mandatory=True)
    client.assert_silent()
    assert client.drain("lost") == [b"x"]


def test_alternates_in_a_circle_end(client: Client) -> None:
    client.declare_exchange("first", "direct", {"alternate-exchange": "second"})
    client.declare_exchange("second", "direct", {"alternate-exchange": "first"})
    client.publish("first", "k", b"x", mandatory=True)
    assert [it.body for it in client.received()] == [b"x"]


def test_a_binding_to_an_exchange_that_leads_nowhere_is_somewhere(client: Client) -> None:
    """RabbitMQ: section 5."""
    client.declare_exchange("dead end", "fanout")
    client.bind_exchange("dead end", "x", "dead")
    client.publish("x", "dead", b"x", mandatory=True)
    assert [it.body for it in client.received()] == [b"x"]
    assert client.drain("lost") == []


def test_an_internal_exchange_may_be_one(client: Client) -> None:
    """RabbitMQ: EX-19."""
    client.declare_exchange("inner", "fanout", internal=True)
    client.bind("lost", "inner")
    client.declare_exchange("y", "direct", {"alternate-exchange": "inner"})
    client.publish("y", "k", b"x", mandatory=True)
    client.assert_silent()
    assert client.drain("lost") == [b"x"]


def test_it_takes_what_no_headers_match(client: Client) -> None:
    client.declare_exchange("h", "headers", {"alternate-exchange": "ae"})
    client.bind("q", "h", arguments={"a": 1})
    client.publish("h", "", b"match", headers={"a": 1})
    client.publish("h", "", b"none", headers={"a": 2})
    assert (client.drain("q"), client.drain("lost")) == ([b"match"], [b"none"])


def test_what_it_takes_is_confirmed(client: Client) -> None:
    client.call(make(Confirm.Select), Confirm.SelectOk)
    client.publish("x", "other", b"x", mandatory=True)
    client.expect(Basic.Ack)


@pytest.mark.parametrize(
    ("value", "name"), [(Field("b", 1), "byte"), (True, "bool"), (["ae"], "array"), (b"ae", "binary")]
)
def test_its_name_is_a_long_string(client: Client, value: object, name: str) -> None:
    """RabbitMQ: EX-11."""
    client.refused(
        make(
            Exchange.Declare,
            exchange="y",
            exchange_type="direct",
            arguments=table({"alternate-exchange": value}),
        ),
        f"PRECONDITION_FAILED - invalid type '{name}' for arg 'alternate-exchange' in exchange 'y' in vhost '/'",
    )
    assert not client.has_exchange("y")


@pytest.mark.parametrize(
    ("exchange", "arguments", "text"),
    [
        ("x", {}, "received none but current is the value 'ae' of type 'longstr'"),
        ("x", {"alternate-exchange": "other"}, "received 'other' but current is 'ae'"),
        ("ae", {"alternate-exchange": "x"}, "received the value 'x' of type 'longstr' but current is none"),
    ],
)
def test_declaring_again_compares_it(client: Client, exchange: str, arguments: dict[str, str], text: str) -> None:
    """RabbitMQ: EX-10."""
    exchange_type = "fanout" if exchange == "ae" else "direct"
    client.refused(
        make(Exchange.Declare, exchange=exchange, exchange_type=exchange_type, arguments=table(arguments)),
        f"PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange '{exchange}' in vhost '/': {text}",
    )
