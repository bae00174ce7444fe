"""What every exchange type does alike: each is reached, and left, by all the ways there are."""

from dataclasses import dataclass
from typing import Any

import pytest

from leveret_protocol.fields import table
from leveret_protocol.methods import Basic, Confirm, Exchange, Queue, Tx, make
from tests.harness import Client


@dataclass(frozen=True)
class Kind:
    """A type with the arguments it needs, a binding key it accepts and a routing key that the binding matches."""

    type_name: str
    arguments: dict[str, Any]
    binding_key: str = "k"

    def declare(self, client: Client, name: str = "x", **fields: Any) -> None:
        arguments = self.arguments | fields.pop("arguments", {})
        client.declare_exchange(name, self.type_name, arguments, **fields)


KINDS = [
    Kind("direct", {}),
    Kind("fanout", {}),
    Kind("topic", {}),
    Kind("headers", {}),
    Kind("x-consistent-hash", {}, "1"),
    Kind("x-consistent-hash", {"hash-header": "h"}, "1"),
    Kind("x-modulus-hash", {}),
    Kind("x-random", {}),
    Kind("x-local-random", {}, ""),
    Kind("x-recent-history", {}),
    Kind("x-delayed-message", {"x-delayed-type": "direct"}),
    Kind("x-delayed-message", {"x-delayed-type": "x-random"}),
]
to_exchanges = pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.type_name != "x-local-random"], ids=lambda kind: kind.type_name
)


@pytest.fixture(params=KINDS, ids=lambda kind: f"{kind.type_name} {','.join(kind.arguments)}")
def kind(request: pytest.FixtureRequest) -> Kind:
    assert isinstance(request.param, Kind)
    return request.param


@pytest.fixture
def client(client: Client) -> Client:
    """Queue q, bound to nothing."""
    client.declare("q")
    return client


def bound(client: Client, kind: Kind, **fields: Any) -> Client:
    """Exchange x of this kind, which leads to q."""
    kind.declare(client, **fields)
    client.bind("q", "x", kind.binding_key)
    return client


def test_it_leads_to_its_queue_until_that_is_unbound(client: Client, kind: Kind) -> None:
    """Twice before and after, in case that a route is remembered."""
    bound(client, kind)
    for body in (b"1", b"2"):
        client.publish("x", "k", body, mandatory=True)
    client.assert_silent()
    assert client.drain("q") == [b"1", b"2"]
    client.call(make(Queue.Unbind, queue="q", exchange="x", routing_key=kind.binding_key), Queue.UnbindOk)
    for body in (b"3", b"4"):
        client.publish("x", "k", body, mandatory=True)
    assert [(type(it.method), it.body) for it in client.received()] == [(Basic.Return, b"3"), (Basic.Return, b"4")]


def test_it_confirms(client: Client, kind: Kind) -> None:
    bound(client, kind)
    client.call(make(Confirm.Select), Confirm.SelectOk)
    for number in (1, 2):
        client.publish("x", "k", b"x")
        assert client.expect(Basic.Ack).delivery_tag == number


def test_it_is_reached_through_an_exchange_binding(client: Client, kind: Kind) -> None:
    bound(client, kind)
    client.declare_exchange("first", "direct")
    client.bind_exchange("x", "first", "k")
    for body in (b"1", b"2"):
        client.publish("first", "k", body, mandatory=True)
    client.assert_silent()
    assert client.drain("q") == [b"1", b"2"]


@to_exchanges
def test_it_leads_to_exchanges(client: Client, kind: Kind) -> None:
    kind.declare(client)
    client.declare_exchange("last", "direct")
    client.bind_exchange("last", "x", kind.binding_key)
    client.bind("q", "last", "k")
    for body in (b"1", b"2"):
        client.publish("x", "k", body, mandatory=True)
    client.publish("x", "other", b"3", mandatory=True)
    assert [it.body for it in client.received()] == [b"3"]
    assert client.drain("q") == [b"1", b"2"]


def test_it_is_an_alternate_exchange(client: Client, kind: Kind) -> None:
    bound(client, kind)
    client.declare_exchange("first", "direct", {"alternate-exchange": "x"})
    for body in (b"1", b"2"):
        client.publish("first", "k", body, mandatory=True)
    client.assert_silent()
    assert client.drain("q") == [b"1", b"2"]


def test_it_has_an_alternate_exchange(client: Client, kind: Kind) -> None:
    kind.declare(client, arguments={"alternate-exchange": "ae"})
    client.declare_exchange("ae", "fanout")
    client.declare("lost")
    client.bind("lost", "ae")
    for body in (b"1", b"2"):
        client.publish("x", "k", body, mandatory=True)
    client.bind("q", "x", kind.binding_key)
    history = client.drain("q")
    client.publish("x", "k", b"3", mandatory=True)
    client.assert_silent()
    assert (client.drain("lost"), client.drain("q")) == ([b"1", b"2"], [b"3"])
    assert history == ([b"1", b"2"] if kind.type_name == "x-recent-history" else [])


def test_dead_letters_go_through_it(client: Client, kind: Kind) -> None:
    bound(client, kind)
    client.declare("work", arguments={"x-dead-letter-exchange": "x", "x-dead-letter-routing-key": "k"})
    client.publish("", "work", b"dead")
    client.reject(client.get("work", no_ack=False).delivery_tag, requeue=False)
    letter = client.get("q")
    assert (letter.body, letter.headers["x-death"][0]["queue"]) == (b"dead", "work")


def test_a_transaction_publishes_to_it(client: Client, kind: Kind) -> None:
    """RabbitMQ: TX-3: the route is found when the message is published."""
    bound(client, kind)
    client.call(make(Tx.Select), Tx.SelectOk)
    client.publish("x", "k", b"committed", mandatory=True)
    assert client.counts("q", channel=2) == (0, 0)
    client.call(make(Tx.Commit), Tx.CommitOk)
    client.publish("x", "k", b"rolled back")
    client.call(make(Tx.Rollback), Tx.RollbackOk)
    assert client.drain("q", channel=2) == [b"committed"]


def test_requests_pass_through_it(client: Client, other: Client, kind: Kind) -> None:
    """RabbitMQ: DRT-2, DRT-3."""
    bound(client, kind)
    client.consume("amq.rabbitmq.reply-to", no_ack=True)
    client.publish("x", "k", b"request", reply_to="amq.rabbitmq.reply-to")
    request = other.get("q")
    assert request.properties.reply_to is not None
    assert request.properties.reply_to.startswith("amq.rabbitmq.reply-to.")
    other.publish("", request.properties.reply_to, b"reply")
    assert client.bodies() == [b"reply"]


def test_it_goes_with_its_last_binding_if_it_is_auto_delete(client: Client, kind: Kind) -> None:
    """RabbitMQ: EX-18."""
    bound(client, kind, auto_delete=True)
    client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
    assert not client.has_exchange("x")


def test_only_the_alternate_exchange_is_compared(client: Client, kind: Kind) -> None:
    """RabbitMQ: EX-9, and as seen on 3.10.8 for the types of its plugins."""
    kind.declare(client)
    nonsense = {"hash-header": 5, "hash-property": "foo", "x-recent-history-length": -1, "x-delayed-type": "bogus"}
    client.declare_exchange("x", kind.type_name, nonsense)
    client.declare_exchange("x", kind.type_name)
    text = "received the value 'ae' of type 'longstr' but current is none"
    client.refused(
        make(
            Exchange.Declare,
            exchange="x",
            exchange_type=kind.type_name,
            arguments=table({"alternate-exchange": "ae"}),
        ),
        f"PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': {text}",
    )
