"""What is declared outlives the broker if it is durable, and so are both ends of a binding (RabbitMQ: section 6)."""

from __future__ import annotations

import json

import pytest

from leveret.core.keeping import tell_safe
from leveret.core.metadata import Metadata
from leveret.storage.base import Batch
from leveret.storage.memory import MemoryStore
from leveret_protocol.methods import Basic, Exchange, Frame, Queue, make
from tests.harness import BrokerHarness, Client


@pytest.fixture
def broker() -> BrokerHarness:
    return BrokerHarness.durable()


def bodies(client: Client, queue: str = "q") -> list[bytes]:
    """Those of the messages of a queue, which is empty then."""
    return [client.get(queue).body for _ in range(client.counts(queue)[0])]


def test_durable_exchanges_queues_and_bindings_come_back(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare_exchange("x", "topic", durable=True, arguments={"alternate-exchange": "other"})
    client.declare_exchange("y", "x-consistent-hash", durable=True)
    client.declare("q", durable=True, auto_delete=True, arguments={"x-max-length": 5, "x-any": [1, {"a": b"\xff"}]})
    client.bind("q", "x", "a.*", {"n": 1})
    client.bind("q", "amq.topic", "#")
    client.bind_exchange("y", "x", "b.*")
    client = broker.stopped().connect()
    client.declare_exchange("x", "topic", durable=True, arguments={"alternate-exchange": "other"})
    client.declare_exchange("y", "x-consistent-hash", durable=True)
    client.declare("q", durable=True, auto_delete=True, arguments={"x-max-length": 5})
    client.publish("x", "a.b", b"through x")
    client.publish("amq.topic", "any", b"through amq.topic")
    assert bodies(client) == [b"through x", b"through amq.topic"]


def test_transient_ends_take_their_bindings_along(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare_exchange("durable", "fanout", durable=True)
    client.declare_exchange("transient", "fanout")
    client.declare("q", durable=True)
    client.declare("t")
    client.bind("q", "transient")
    client.bind("t", "durable")
    after = broker.stopped()
    client = after.connect()
    assert client.has_exchange("durable")
    assert not client.has_exchange("transient")
    client.publish("durable", "", b"nowhere", mandatory=True)
    client.expect(Basic.Return)


def test_what_was_deleted_and_unbound_does_not_come_back(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare_exchange("x", "fanout", durable=True)
    client.declare("q", durable=True)
    client.bind("q", "x")
    broker.commit()
    client.call(make(Queue.Unbind, queue="q", exchange="x"), Queue.UnbindOk)
    after = broker.stopped()
    client = after.connect()
    client.publish("x", "", b"nowhere", mandatory=True)
    client.expect(Basic.Return)


def test_names_may_be_as_long_as_the_protocol_allows(broker: BrokerHarness) -> None:
    client = broker.connect()
    names = ["q" * 255, "x" * 255]
    client.declare(names[0], durable=True)
    client.declare_exchange(names[1], "topic", durable=True)
    client.bind(names[0], names[1], "k" * 255, {"a": "v" * 1000})
    client = broker.stopped().connect()
    client.publish(names[1], "k" * 255, b"one")
    assert bodies(client, names[0]) == [b"one"]


def test_virtual_hosts_policies_and_limits_come_back(broker: BrokerHarness) -> None:
    vhost = broker.add_vhost("v", Metadata("for tests", ("a",), "classic"))
    vhost.set_limits({"max-queues": 1})
    vhost.policies.set("p", pattern="^q", definition={"max-length": 2}, priority=3, apply_to="queues")
    vhost.operator_policies.set("o", pattern="", definition={"max-length": 1})
    client = broker.connect(vhost="v")
    client.declare("q", durable=True)
    after = broker.stopped()
    vhost = after.node.vhost("v")
    assert (vhost.metadata.description, vhost.limits) == ("for tests", {"max-queues": 1})
    policy, operator_policy = vhost.policies.get("p"), vhost.operator_policies.get("o")
    assert policy is not None and policy.entry()["priority"] == 3
    assert operator_policy is not None
    client = after.connect(vhost="v")
    client.publish("", "q", b"1")
    client.publish("", "q", b"2")
    assert bodies(client) == [b"2"]


def test_a_virtual_host_that_was_deleted_stays_away_even_the_first_one(broker: BrokerHarness) -> None:
    broker.add_vhost("v")
    broker.commit()
    broker.node.delete_vhost("v")
    broker.node.delete_vhost("/")
    broker.add_vhost("w")
    assert set(broker.stopped().node.vhosts) == {"w"}


def test_delayed_messages_come_back_with_what_is_left_of_their_delay(broker: BrokerHarness) -> None:
    """RabbitMQ: XT-21."""
    client = broker.connect()
    client.declare_exchange("x", "x-delayed-message", durable=True, arguments={"x-delayed-type": "direct"})
    client.declare("q", durable=True)
    client.bind("q", "x", "also")
    for number, delay in enumerate((3000, 1000, 2000)):
        client.publish("x", "k", b"%d" % number, delivery_mode=2, headers={"x-delay": delay, "CC": ["also"]})
    broker.advance(1)
    broker.commit()
    after = broker.killed()
    client = after.connect()
    assert bodies(client) == [b"1"]
    after.advance(1)
    assert bodies(client) == [b"2"]
    after = after.stopped()
    client = after.connect()
    after.advance(1)
    assert bodies(client) == [b"0"]


def test_a_delayed_exchange_that_was_deleted_takes_its_messages_along(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare_exchange("x", "x-delayed-message", durable=True, arguments={"x-delayed-type": "fanout"})
    client.publish("x", "", b"one", headers={"x-delay": 1000})
    broker.commit()
    client.call(make(Exchange.Delete, exchange="x"), Exchange.DeleteOk)
    after = broker.stopped()
    client = after.connect()
    client.declare_exchange("x", "x-delayed-message", durable=True, arguments={"x-delayed-type": "fanout"})
    client.declare("q")
    client.bind("q", "x")
    after.advance(10)
    assert bodies(client) == []


# -- what a damaged store lacks


def without(broker: BrokerHarness, kind: str, *key: str) -> BrokerHarness:
    """A broker on what this one leaves, but for one definition."""
    broker.stopped()
    assert isinstance(broker.store, MemoryStore)
    del broker.store.contents.definitions[kind, json.dumps(key)]
    return broker.killed()


@pytest.fixture
def client(broker: BrokerHarness) -> Client:
    client = broker.connect()
    client.declare_exchange("x", "fanout", durable=True)
    client.declare_exchange("y", "fanout", durable=True)
    client.declare("q", durable=True)
    client.bind("q", "x")
    client.bind_exchange("y", "x")
    client.publish("", "q", b"kept", delivery_mode=2)
    return client


def test_without_its_virtual_host_the_rest_comes_back(
    broker: BrokerHarness, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    after = without(broker, "vhost", "/")
    assert "the virtual host '/' was damaged" in caplog.text
    client = after.connect()
    assert bodies(client) == [b"kept"]
    client.publish("x", "", b"through the binding")
    assert bodies(client) == [b"through the binding"]
    caplog.clear()
    after.stopped()
    assert caplog.text == ""


@pytest.mark.parametrize(("kind", "name"), [("exchange", "x"), ("exchange", "y"), ("queue", "q")])
def test_without_one_end_a_binding_does_not_come_back(
    broker: BrokerHarness, client: Client, caplog: pytest.LogCaptureFixture, kind: str, name: str
) -> None:
    after = without(broker, kind, "/", name)
    assert f"{name!r}" in caplog.text and "lacks one of them: damaged" in caplog.text
    client = after.connect()
    assert client.has_queue("q") == (name != "q")
    client.declare_exchange("x", "fanout", durable=True)
    client.publish("x", "", b"through the binding")
    if name != "q":
        assert bodies(client) == [b"kept", b"through the binding"][: 1 + (name == "y")]


def test_without_its_line_a_queue_comes_back_empty(
    broker: BrokerHarness, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    broker.stopped()
    assert isinstance(broker.store, MemoryStore)
    broker.store.contents.lines.clear()
    after = broker.killed()
    assert "the queue 'q' was damaged: messages in it are lost" in caplog.text
    client = after.connect()
    assert bodies(client) == []
    client.publish("", "q", b"new", delivery_mode=2)
    caplog.clear()
    assert bodies(after.stopped().connect()) == [b"new"]
    assert caplog.text == ""


# -- when the reply is sent


@pytest.mark.parametrize(
    "method",
    [
        make(Queue.Declare, queue="new", durable=True),
        make(Queue.Delete, queue="q"),
        make(Queue.Bind, queue="q", exchange="x", routing_key="k"),
        make(Queue.Unbind, queue="q", exchange="x", routing_key="there"),
        make(Exchange.Declare, exchange="new", exchange_type="direct", durable=True),
        make(Exchange.Delete, exchange="y"),
        make(Exchange.Bind, destination="y", source="x", routing_key="k"),
        make(Exchange.Unbind, destination="y", source="x", routing_key="there"),
    ],
    ids=lambda method: method.name,
)
def test_the_reply_is_held_until_it_is_on_the_disk(broker: BrokerHarness, method: Frame) -> None:
    """RabbitMQ: mnesia_sync. Nothing else goes out before it, so that all comes in order."""
    client = broker.connect()
    client.declare("q", durable=True)
    for name in "xy":
        client.declare_exchange(name, "direct", durable=True)
    client.bind("q", "x", "there")
    client.bind_exchange("y", "x", "there")
    broker.commit()
    assert not client.connection.is_held
    client.send(method)
    assert client.connection.is_held
    broker.commit()
    assert not client.connection.is_held


def test_several_replies_wait_for_the_last(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("a", durable=True)
    batch = begun(broker)
    client.declare("b", durable=True)
    ended(broker, batch)
    assert client.connection.is_held
    broker.commit()
    assert not client.connection.is_held


def test_what_another_connection_declared_is_no_safer(broker: BrokerHarness) -> None:
    client, other = broker.connect(), broker.connect()
    client.declare("q", durable=True)
    batch = begun(broker)
    assert other.has_queue("q")
    assert other.connection.is_held
    ended(broker, batch)
    assert not client.connection.is_held
    broker.commit()
    assert not other.connection.is_held


def test_what_is_not_kept_and_what_is_not_answered_holds_nothing(broker: BrokerHarness) -> None:
    client = broker.connect()
    broker.commit()
    client.declare("transient")
    client.declare("exclusive", durable=True, exclusive=True)
    client.send(make(Queue.Declare, queue="unanswered", durable=True, nowait=True))
    assert not client.connection.is_held
    broker.commit()
    client.declare("unanswered", durable=True)
    assert not client.connection.is_held


def begun(broker: BrokerHarness) -> Batch:
    assert broker.store is not None
    batch = broker.store.begin_commit()
    assert batch is not None
    return batch


def ended(broker: BrokerHarness, batch: Batch) -> None:
    assert broker.store is not None
    broker.store.commit(batch)
    tell_safe(broker.store.end_commit(batch))
