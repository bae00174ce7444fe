"""What outlives the broker, and when a publisher is told that its message will (RabbitMQ: section 6, CFM-4)."""

from __future__ import annotations

from typing import Any

import pytest

from leveret.core import keeping
from leveret.storage.memory import MemoryStore
from leveret_protocol.methods import Basic, Confirm, Queue, make
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


# -- messages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_persistent_messages_of_durable_queues_come_back_in_order(broker: BrokerHarness, how: str) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    for number in range(5):
        persistent(client, b"%d" % number)
    broker.commit()
    client = getattr(broker, how)().connect()
    assert bodies(client) == [b"0", b"1", b"2", b"3", b"4"]


def test_transient_messages_and_queues_do_not(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    client.declare("transient")
    client.publish("", "q", b"transient")
    persistent(client, b"persistent")
    persistent(client, b"persistent", "transient")
    client = broker.stopped().connect()
    assert bodies(client) == [b"persistent"]
    assert not client.has_queue("transient")


def test_exclusive_queues_do_not_even_if_they_were_declared_durable(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True, exclusive=True)
    assert not broker.stopped().connect().has_queue("q")


def test_what_was_settled_does_not_come_back(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    for body in (b"acked", b"rejected", b"got", b"left"):
        persistent(client, body)
    broker.commit()
    client.ack(client.get("q", no_ack=False).delivery_tag)
    client.reject(client.get("q", no_ack=False).delivery_tag, requeue=False)
    client.get("q", no_ack=True)
    broker.commit()
    assert bodies(broker.killed().connect()) == [b"left"]


def test_what_went_to_a_consumer_without_acks_does_not_come_back(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    persistent(client, b"from the backlog")
    broker.commit()
    client.consume("q", no_ack=True)
    persistent(client, b"straight")
    assert client.bodies() == [b"from the backlog", b"straight"]
    broker.commit()
    assert bodies(broker.killed().connect()) == []


def test_unacked_messages_come_back_as_redelivered(broker: BrokerHarness) -> None:
    """RabbitMQ: B-44. After an orderly stop the flag is exact."""
    client = broker.connect()
    client.declare("q", durable=True)
    persistent(client, b"out")
    persistent(client, b"ready")
    client.get("q", no_ack=False)
    messages = all_of(broker.stopped().connect())
    assert [(message.body, message.redelivered) for message in messages] == [(b"out", True), (b"ready", False)]


def test_after_a_kill_every_message_may_have_been_delivered(broker: BrokerHarness) -> None:
    """As RabbitMQ's classic queues: what was handed out since the last commit is not known."""
    client = broker.connect()
    client.declare("q", durable=True)
    persistent(client, b"one")
    broker.commit()
    assert [message.redelivered for message in all_of(broker.killed().connect())] == [True]


def test_purged_messages_do_not_come_back_but_unacked_ones_do(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    for body in (b"out", b"purged", b"purged too"):
        persistent(client, body)
    broker.commit()
    client.get("q", no_ack=False)
    assert client.call(make(Queue.Purge, queue="q"), Queue.PurgeOk).message_count == 2
    persistent(client, b"after")
    broker.commit()
    assert bodies(broker.killed().connect()) == [b"out", b"after"]


def test_a_deleted_queue_and_its_messages_do_not_come_back(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    persistent(client, b"one")
    broker.commit()
    client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
    client.declare("q", durable=True)
    broker.commit()
    assert bodies(broker.killed().connect()) == []


def test_content_and_names_are_as_published(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    client.declare_exchange("x", "fanout", durable=True)
    client.bind("q", "x")
    persistent(client, b"b" * 200_000, "any.key", "x", headers={"a": [1, "two"]}, message_id="m", priority=3)
    message = all_of(broker.stopped().connect())[0]
    assert isinstance(message.method, Basic.GetOk)
    assert (message.method.exchange, message.method.routing_key) == ("x", "any.key")
    assert message.body == b"b" * 200_000
    assert message.headers == {"a": [1, "two"]}
    assert (message.properties.message_id, message.properties.priority) == ("m", 3)


def test_one_message_in_many_queues(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare_exchange("x", "fanout", durable=True)
    for name in "abc":
        client.declare(name, durable=True)
        client.bind(name, "x")
    persistent(client, b"l" * 5000, exchange="x")
    broker.commit()
    client.get("b")
    broker.commit()
    client = broker.killed().connect()
    assert [client.counts(name)[0] for name in "abc"] == [1, 0, 1]
    assert bodies(client, "a") == bodies(client, "c") == [b"l" * 5000]


def test_priorities_come_back(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True, arguments={"x-max-priority": 5})
    for priority in (1, 5, 3, 5):
        persistent(client, b"%d" % priority, priority=priority)
    assert bodies(broker.stopped().connect()) == [b"5", b"5", b"3", b"1"]


def test_deadlines_come_back(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    persistent(client, b"short", expiration="1000")
    persistent(client, b"long", expiration="5000")
    broker.advance(0.5)
    after = broker.stopped()
    client = after.connect()
    after.advance(0.4)
    assert client.counts("q") == (2, 0)
    after.advance(0.1)
    assert bodies(client) == [b"long"]


def test_what_expired_while_there_was_no_broker_is_dead_lettered_when_there_is_one(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("dead", durable=True)
    arguments = {"x-message-ttl": 1000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    client.declare("q", durable=True, arguments=arguments)
    persistent(client, b"one")
    broker.commit()
    broker.now_seconds += 60
    client = broker.killed().connect()
    assert client.counts("q") == (0, 0)
    assert bodies(client, "dead") == [b"one"]


def test_the_story_of_a_dead_letter_comes_back_and_is_believed(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"})
    persistent(client, b"one")
    client.reject(client.get("q", no_ack=False).delivery_tag, requeue=False)
    client = broker.stopped().connect()
    client.reject(client.get("q", no_ack=False).delivery_tag, requeue=False)
    assert [death["count"] for death in client.get("q").headers["x-death"]] == [2]


def test_a_dead_letter_is_in_one_queue_or_the_other_whenever_the_broker_is_killed(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("dead", durable=True)
    client.declare("q", durable=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    persistent(client, b"one")
    broker.commit()
    client.reject(client.get("q", no_ack=False).delivery_tag, requeue=False)
    before = broker.killed().connect()
    assert (before.counts("q")[0], before.counts("dead")[0]) == (1, 0)


def test_what_the_limit_drops_at_a_restart_is_dead_lettered(broker: BrokerHarness) -> None:
    """RabbitMQ: LEN-1. Unacked messages are ready again after it, and may be too many then; all queues are there."""
    client = broker.connect()
    arguments = {"x-max-length": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "the other"}
    client.declare("q", durable=True, arguments=arguments)
    client.declare("the other", durable=True)
    for body in (b"out", b"ready"):
        persistent(client, body)
        if body == b"out":
            client.get("q", no_ack=False)
    broker.commit()
    client = broker.killed().connect()
    assert (bodies(client), bodies(client, "the other")) == ([b"ready"], [b"out"])


def test_deadlines_come_back_wherever_in_the_queue_they_are(
    broker: BrokerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RabbitMQ: TTL-2. What has a deadline may be in none of the first messages."""
    monkeypatch.setattr(keeping, "PAGE_MESSAGES", 2)
    client = broker.connect()
    client.declare("q", durable=True)
    for number in range(4):
        persistent(client, b"%d" % number, expiration=None if number < 2 else "1000")
    broker.advance(5)
    client = broker.stopped().connect()
    assert client.get("q").body == b"0"
    assert client.get("q").method.message_count == 0  # type: ignore[attr-defined]


def test_many_messages_wait_in_the_store_and_come_in_order(
    broker: BrokerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With transient ones among them, which wait in memory."""
    monkeypatch.setattr(keeping, "PAGE_MESSAGES", 4)
    monkeypatch.setattr(keeping, "HEAD_MESSAGES_MAX", 8)
    client = broker.connect()
    client.declare("q", durable=True)
    for number in range(60):
        client.publish("", "q", b"%d" % number, delivery_mode=1 if number % 5 == 3 else 2)
        if number % 7 == 0:
            broker.commit()
    expected = [b"%d" % number for number in range(60)]
    got = [client.get("q", no_ack=False) for _ in range(20)]
    client.nack(got[-1].delivery_tag, multiple=True)
    assert bodies(client) == expected


def test_requeued_messages_stand_before_those_in_the_store(
    broker: BrokerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "PAGE_MESSAGES", 4)
    monkeypatch.setattr(keeping, "HEAD_MESSAGES_MAX", 4)
    client = broker.connect()
    client.declare("q", durable=True)
    for number in range(30):
        persistent(client, b"%d" % number)
    client.qos(10)
    tag = client.consume("q")
    assert len(client.deliveries()) == 10
    client.cancel(tag)
    client.send(make(Basic.Recover, requeue=True))
    client.expect(Basic.RecoverOk)
    assert bodies(client) == [b"%d" % number for number in range(30)]


read_stored = MemoryStore._read_stored
KINDS = [{}, {"x-max-priority": 2}, {"x-queue-type": "quorum"}]


@pytest.mark.parametrize("arguments", KINDS)
@pytest.mark.parametrize("count", [1, 3])
def test_a_queue_whose_last_messages_are_damaged_goes_on_without_them(
    broker: BrokerHarness, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], count: int
) -> None:
    """A page is two messages, and what the third one was cannot be read; or all of them."""
    monkeypatch.setattr(keeping, "PAGE_MESSAGES", 2)
    client = broker.connect()
    client.declare("q", durable=True, arguments=arguments)
    for number in range(count):
        persistent(client, b"%d" % number)
    before = broker.stopped()
    monkeypatch.setattr(MemoryStore, "_read_stored", lambda store, line, page, after, before, gone: (
        None if count == 1 or after > 0 else read_stored(store, line, page, after, before, gone)
    ))  # fmt: skip
    after = before.stopped()
    client = after.connect()
    assert bodies(client) == [b"0", b"1"][: count - 1]
    persistent(client, b"new")
    assert bodies(client) == [b"new"]
    assert client.counts("q") == (0, 0)


# -- quorum queues ----------------------------------------------------------------------------------------------------

QUORUM = {"x-queue-type": "quorum"}


def test_quorum_queues_keep_every_message_whatever_its_delivery_mode(broker: BrokerHarness) -> None:
    """RabbitMQ: section 6, DUR-1."""
    client = broker.connect()
    client.declare("q", durable=True, arguments=QUORUM)
    confirming(client)
    client.publish("", "q", b"transient", delivery_mode=1)
    client.assert_silent()
    persistent(client, b"persistent")
    broker.commit()
    assert told(client) == [(2, True)]
    messages = all_of(broker.stopped().connect())
    assert [message.body for message in messages] == [b"transient", b"persistent"]
    assert messages[0].properties.delivery_mode == 1


def test_quorum_queues_remember_how_often_a_message_came_back(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True, arguments=QUORUM | {"x-delivery-limit": 3})
    persistent(client, b"one")
    for _ in range(2):
        client.nack(client.get("q", no_ack=False).delivery_tag)
    client = broker.stopped().connect()
    message = client.get("q", no_ack=False)
    assert (message.redelivered, message.headers) == (True, {"x-delivery-count": 2})
    client.nack(message.delivery_tag)
    client.nack(client.get("q", no_ack=False).delivery_tag)
    assert client.counts("q") == (0, 0)


def test_a_transient_message_that_goes_to_a_quorum_queue_too_is_kept_there_alone(broker: BrokerHarness) -> None:
    """RabbitMQ: DUR-1, DUR-2."""
    client = broker.connect()
    client.declare_exchange("x", "fanout", durable=True)
    for name, arguments in (("classic", {}), ("quorum", QUORUM)):
        client.declare(name, durable=True, arguments=arguments)
        client.bind(name, "x")
    client.publish("x", "", b"transient")
    client = broker.stopped().connect()
    assert (client.counts("classic"), client.counts("quorum")) == ((0, 0), (1, 0))


def test_quorum_queues_remember_how_many_deliveries_failed(broker: BrokerHarness) -> None:
    """RabbitMQ: a dead letter brings that count into the next quorum queue."""
    client = broker.connect()
    client.declare("dead", durable=True, arguments=QUORUM)
    arguments = QUORUM | {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    client.declare("q", durable=True, arguments=arguments)
    persistent(client, b"one")
    client.nack(client.get("q", no_ack=False).delivery_tag)
    client.get("q", no_ack=False)  # and the stop takes it back
    client = broker.stopped().connect()
    client.reject(client.get("q", no_ack=False).delivery_tag, requeue=False)
    after = client.get("dead")
    assert (after.redelivered, after.headers["x-delivery-count"]) == (True, 2)


def test_a_dead_letter_that_brings_failed_deliveries_stays_redelivered(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("dead", durable=True, arguments=QUORUM)
    arguments = QUORUM | {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    client.declare("q", durable=True, arguments=arguments)
    persistent(client, b"one")
    client.reject(client.get("q", no_ack=False).delivery_tag, requeue=False)
    (message,) = all_of(broker.stopped().connect(), "dead")
    assert (message.redelivered, message.headers["x-delivery-count"]) == (True, 1)


def test_a_message_that_lost_its_priority_in_a_quorum_queue_is_settled_after_a_restart(broker: BrokerHarness) -> None:
    """RabbitMQ: B-43. It stands among those of normal priority, whatever its own says."""
    client = broker.connect()
    client.declare("q", durable=True, arguments=QUORUM | {"x-delivery-limit": -1})
    persistent(client, b"one", priority=9)
    client.nack(client.get("q", no_ack=False).delivery_tag)
    after = broker.stopped()
    assert bodies(after.connect()) == [b"one"]
    after.commit()
    assert bodies(after.killed().connect()) == []


def test_a_message_that_goes_to_the_end_of_a_quorum_queue_is_there_after_a_kill(broker: BrokerHarness) -> None:
    """RabbitMQ: B-43, without a delivery limit."""
    client = broker.connect()
    client.declare("q", durable=True, arguments=QUORUM | {"x-delivery-limit": -1})
    for body in (b"1", b"2", b"3"):
        persistent(client, body, priority=9 if body == b"1" else 0)
    broker.commit()
    client.nack(client.get("q", no_ack=False).delivery_tag)
    broker.commit()
    client.get("q")
    broker.commit()
    assert bodies(broker.killed().connect()) == [b"3", b"1"]


def test_a_message_of_an_unlimited_quorum_queue_is_confirmed_only_once_it_is_safe(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True, arguments=QUORUM | {"x-delivery-limit": -1})
    confirming(client)
    persistent(client, b"one")
    client.nack(client.get("q", no_ack=False).delivery_tag)
    client.assert_silent()
    broker.commit()
    assert told(client) == [(1, False)]


def test_a_message_that_goes_to_the_end_twice_is_confirmed(
    broker: BrokerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time it has been read back from the store, before it was on the disk."""
    monkeypatch.setattr(keeping, "HEAD_MESSAGES_MAX", 1)
    client = broker.connect()
    client.declare("q", durable=True, arguments=QUORUM | {"x-delivery-limit": -1})
    confirming(client)
    for body in (b"one", b"two", b"three"):
        persistent(client, body)
    for _ in range(6):
        client.nack(client.get("q", no_ack=False).delivery_tag)
    broker.commit()
    assert told(client) == [(3, True)]


def test_both_priorities_of_a_quorum_queue_come_back(broker: BrokerHarness) -> None:
    client = broker.connect()
    client.declare("q", durable=True, arguments=QUORUM)
    for body in (b"low", b"high"):
        persistent(client, body, priority=9 if body == b"high" else 1)
    assert bodies(broker.stopped().connect()) == [b"high", b"low"]


def test_what_has_died_at_least_once_stays_until_it_has_arrived(broker: BrokerHarness) -> None:
    """RabbitMQ: QQ-5. After a restart it dies once more."""
    arguments = QUORUM | {
        "x-dead-letter-exchange": "x", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
        "x-message-ttl": 1000,
    }  # fmt: skip
    client = broker.connect()
    client.declare("q", durable=True, arguments=arguments)
    persistent(client, b"one")
    broker.advance(1)
    assert client.counts("q") == (0, 0)
    client.call(make(Queue.Purge, queue="q"), Queue.PurgeOk)
    broker.commit()
    after = broker.killed()
    client = after.connect()
    assert client.counts("q") == (0, 0)
    client.declare("dead", durable=True)
    client.declare_exchange("x", "fanout", durable=True)
    client.bind("dead", "x")
    after.advance(10)
    after.commit()
    client = after.killed().connect()
    assert (client.counts("q"), bodies(client, "dead")) == ((0, 0), [b"one"])
