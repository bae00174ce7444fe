"""What goes back to its queues in slices, and what others see of it meanwhile: nothing."""

from __future__ import annotations

import pytest

from leveret.core import returning
from leveret.core.queue import Queue
from leveret_protocol import methods
from leveret_protocol.methods import Basic, Channel, Frame, encode_method, make
from tests.harness import BrokerHarness, Client

FEW = 20  # of a classic queue in a slice
COUNT = 5 * FEW + 3

NACK = make(Basic.Nack, delivery_tag=COUNT, multiple=True, requeue=True)
NACK_ALL = make(Basic.Nack, delivery_tag=0, multiple=True, requeue=True)
RECOVER = make(Basic.Recover, requeue=True)
RECOVER_ASYNC = make(Basic.RecoverAsync, requeue=True)


@pytest.fixture(autouse=True)
def _few_in_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(returning, "SLICE_WEIGHT", FEW * returning.WEIGHT_RETURN)
    monkeypatch.setattr(returning, "GATHERED_IN_A_SLICE", 2 * FEW)


def numbered(*numbers: int) -> list[bytes]:
    return [b"%d" % number for number in numbers]


def held_by(client: Client, queue: str = "q", *, channel: int = 1, count: int = COUNT, **properties: int) -> None:
    """It has got messages from 0 to `count`, without the last one, with basic.get; 3 more are ready behind them."""
    for number in range(count + 3):
        client.publish("", queue, b"%d" % number, channel=channel, **properties)
    for _ in range(count):
        client.get(queue, no_ack=False, channel=channel)


def queue_of(harness: BrokerHarness, name: str = "q") -> Queue:
    return harness.node.vhosts["/"].queues[name]


def turns_left(client: Client) -> int:
    count = 0
    while client.connection.has_put_off:
        client.connection.go_on()
        count += 1
    return count


@pytest.mark.parametrize("method", [NACK, NACK_ALL, RECOVER, RECOVER_ASYNC], ids=lambda method: method.name)
def test_a_consumer_gets_nothing_before_all_of_it_is_back(
    harness: BrokerHarness, client: Client, other: Client, method: Frame
) -> None:
    """RabbitMQ: to a queue it comes back at once, and so in its old order (B-38)."""
    client.declare("q")
    held_by(client)
    client.connection.receive(encode_method(1, method))
    other.consume("q")
    assert queue_of(harness).message_count == FEW + 3
    other.publish("", "q", b"new")
    assert turns_left(client) == 5
    harness.run_work()
    deliveries = other.deliveries()
    assert [it.body for it in deliveries] == [*numbered(*range(COUNT + 3)), b"new"]
    assert [it.method.redelivered for it in deliveries] == [True] * COUNT + [False] * 4  # type: ignore[union-attr]


@pytest.mark.parametrize("no_ack", [True, False])
def test_what_is_published_meanwhile_comes_after_it(
    harness: BrokerHarness, client: Client, other: Client, no_ack: bool
) -> None:
    """Though its consumer waits for it, and of what is ready nothing is left."""
    client.declare("q")
    held_by(client)
    for body in numbered(COUNT, COUNT + 1, COUNT + 2):
        assert other.get("q").body == body
    other.consume("q", no_ack=no_ack)
    client.connection.receive(encode_method(1, NACK))
    other.publish("", "q", b"new")
    turns_left(client)
    harness.run_work()
    assert other.bodies() == [*numbered(*range(COUNT)), b"new"]


def test_recover_is_answered_once_and_before_the_redeliveries(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: B-42."""
    client.declare("q")
    client.qos(COUNT)
    client.send_bytes(client.published("", "q") * 2 * COUNT)
    client.consume("q")
    harness.run_work()
    assert len(client.received()) == COUNT
    client.send(RECOVER)
    harness.run_work()
    first, *rest = client.received()
    assert isinstance(first.method, Basic.RecoverOk)
    assert [type(it.method) for it in rest] == [Basic.Deliver] * COUNT


def test_recover_does_not_mean_what_is_delivered_meanwhile(
    harness: BrokerHarness, client: Client, other: Client
) -> None:
    client.declare("q")
    client.declare("another")
    held_by(client)
    client.consume("another")
    client.connection.receive(encode_method(1, RECOVER_ASYNC))
    other.publish("", "another", b"new")
    turns_left(client)
    assert client.bodies() == [b"new"]
    assert queue_of(harness, "another").unacked_count == 1
    assert queue_of(harness).unacked_count == 0


def test_what_is_asked_of_the_queue_meanwhile_is_answered_afterwards(harness: BrokerHarness) -> None:
    """RabbitMQ: its process answers after it has taken back what came before."""
    for method, answer, count in (
        (make(methods.Queue.Declare, queue="q", passive=True), methods.Queue.DeclareOk, COUNT + 3),
        (make(methods.Queue.Declare, queue="q"), methods.Queue.DeclareOk, COUNT + 3),
        (make(methods.Queue.Purge, queue="q"), methods.Queue.PurgeOk, COUNT + 3),
        (make(Basic.Get, queue="q", no_ack=True), Basic.GetOk, COUNT + 2),
        (make(methods.Queue.Delete, queue="q"), methods.Queue.DeleteOk, COUNT + 3),
    ):
        client, other = harness.connect(), harness.connect()
        client.declare("q")
        client.send(make(methods.Queue.Purge, queue="q", nowait=True))
        held_by(client)
        client.connection.receive(encode_method(1, NACK_ALL))
        other.connection.receive(encode_method(1, method))
        other.connection.go_on()
        assert other.connection.has_put_off
        other.assert_silent()
        turns_left(client)
        other.connection.go_on()
        (told,) = other.received()
        assert type(told.method) is answer
        assert told.method.message_count == count
        assert told.body in (b"", b"0")
        client.close()
        other.close()


@pytest.mark.parametrize("how", ["channel", "connection", "lost"])
def test_what_a_channel_held_comes_back_in_slices(
    harness: BrokerHarness, client: Client, other: Client, how: str
) -> None:
    """RabbitMQ: B-41. Whoever asks the queue is told of all of it."""
    client.declare("q")
    held_by(client)
    if how == "lost":
        client.lose()
    else:
        cls = Channel.Close if how == "channel" else methods.Connection.Close
        client.connection.receive(encode_method(int(how == "channel"), make(cls, reply_code=200)))
    assert queue_of(harness).message_count == 3
    other.connection.receive(encode_method(1, make(methods.Queue.Declare, queue="q", passive=True)))
    other.connection.go_on()
    other.assert_silent()
    assert harness.run_work() == 7  # three that take hold of it, the last one with the first that puts back
    other.connection.go_on()
    assert other.expect(methods.Queue.DeclareOk).message_count == COUNT + 3
    assert other.drain("q") == numbered(*range(COUNT + 3))


def test_few_come_back_at_once(harness: BrokerHarness, client: Client) -> None:
    client.declare("q")
    held_by(client, count=FEW)
    client.close_channel()
    assert not harness.node.has_work()
    assert queue_of(harness).message_count == FEW + 3


def test_the_next_single_active_consumer_gets_it_in_order(
    harness: BrokerHarness, client: Client, other: Client
) -> None:
    client.declare("q", arguments={"x-single-active-consumer": True})
    client.qos(COUNT)
    client.consume("q")
    for number in range(COUNT + 3):
        client.publish("", "q", b"%d" % number)
    other.consume("q")
    client.lose()
    harness.run_work()
    assert other.bodies() == numbered(*range(COUNT + 3))


def test_a_queue_to_which_two_channels_return_waits_for_both(
    harness: BrokerHarness, client: Client, other: Client
) -> None:
    client.declare("q")
    held_by(client)  # and 3 more
    for _ in range(3):
        client.get("q", no_ack=False, channel=2)
    other.consume("q")
    client.lose()
    harness.node.run_slice()
    other.assert_silent()
    harness.run_work()
    assert other.bodies() == numbered(*range(COUNT + 3))


def test_consumers_of_other_queues_go_on(harness: BrokerHarness, client: Client, other: Client) -> None:
    client.declare("q")
    client.declare("another")
    held_by(client)
    other.consume("another")
    client.lose()
    other.publish("", "another", b"now")
    assert other.bodies() == [b"now"]


def test_a_limit_of_length_counts_when_all_of_it_is_back(harness: BrokerHarness, client: Client, other: Client) -> None:
    """RabbitMQ: LEN-1, LEN-2."""
    client.declare("dead")
    client.declare(
        "q",
        arguments={"x-max-length": 5, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"},
    )
    for number in range(COUNT):
        client.publish("", "q", b"%d" % number)
        client.get("q", no_ack=False)
    client.connection.receive(encode_method(1, NACK))
    client.connection.go_on()
    other.publish("", "q", b"new")
    assert queue_of(harness).message_count == 2 * FEW + 1
    turns_left(client)
    harness.run_work()
    assert client.drain("dead") == numbered(*range(COUNT - 4))
    assert client.drain("q") == [*numbered(*range(COUNT - 4, COUNT)), b"new"]


def test_the_place_that_consumers_of_a_channel_share_is_theirs_again(
    harness: BrokerHarness, client: Client, other: Client
) -> None:
    """RabbitMQ: B-24; another queue's consumer had none."""
    client.declare("q")
    client.declare("another")
    client.qos(COUNT, global_=True)
    client.consume("q", "c")
    client.consume("another")
    client.send_bytes(client.published("", "q") * COUNT)
    assert len(client.received()) == COUNT
    client.publish("", "another", b"waits")
    client.cancel("c")
    client.connection.receive(encode_method(1, NACK))
    turns_left(client)
    assert client.bodies() == [b"waits"]


def test_what_expires_meanwhile_waits_until_all_of_it_is_back(harness: BrokerHarness, client: Client) -> None:
    client.declare("q", arguments={"x-message-ttl": 1000})
    held_by(client)
    client.connection.receive(encode_method(1, NACK))
    harness.advance(2)
    assert queue_of(harness).message_count == FEW + 3
    turns_left(client)
    harness.run_work()
    assert queue_of(harness).message_count == 0


def test_a_queue_that_is_deleted_meanwhile_gets_nothing_back(harness: BrokerHarness, client: Client) -> None:
    client.declare("q")
    held_by(client)
    client.connection.receive(encode_method(1, NACK))
    harness.node.vhosts["/"].delete_queue(queue_of(harness))
    turns_left(client)
    client.declare("q")
    assert client.counts("q") == (0, 0)
    client.publish("", "q", b"new")
    assert client.drain("q") == [b"new"]


@pytest.mark.parametrize("turns", [1, 3])
def test_a_connection_that_is_lost_meanwhile_returns_the_rest(
    harness: BrokerHarness, client: Client, other: Client, turns: int
) -> None:
    client.declare("q")
    held_by(client)
    other.consume("q")
    other.bodies()
    client.connection.receive(encode_method(1, NACK))
    for _ in range(turns - 1):
        client.connection.go_on()
    client.lose()
    harness.run_work()
    assert other.bodies() == numbered(*range(COUNT))
    assert queue_of(harness).unacked_count == COUNT + 3


def test_a_broker_that_is_stopped_meanwhile_keeps_all_of_it() -> None:
    harness = BrokerHarness.durable()
    client = harness.connect()
    client.declare("q", durable=True)
    held_by(client, delivery_mode=2)
    client.lose()
    client = harness.stopped().connect()
    messages = [client.get("q") for _ in range(COUNT + 3)]
    assert [it.body for it in messages] == numbered(*range(COUNT + 3))
    assert [it.method.redelivered for it in messages] == [True] * COUNT + [False] * 3  # type: ignore[union-attr]


def test_a_purge_by_an_operator_meanwhile_leaves_what_is_not_back() -> None:
    harness = BrokerHarness.durable()
    client = harness.connect()
    client.declare("q", durable=True)
    held_by(client, delivery_mode=2)
    client.lose()
    for _ in range(2):
        harness.node.run_slice()
    assert queue_of(harness).purge() == FEW + 3
    client = harness.stopped().connect()
    assert client.drain("q") == numbered(*range(FEW, COUNT))


def test_a_quorum_queue_takes_less_back_in_a_slice(harness: BrokerHarness, client: Client) -> None:
    """Each takes about twenty times as long."""
    client.declare("q", durable=True, arguments={"x-queue-type": "quorum"})
    held_by(client, count=4)
    client.connection.receive(encode_method(1, NACK_ALL))
    assert queue_of(harness).message_count == 3 + 1
    turns_left(client)
    assert queue_of(harness).message_count == 3 + 4


def test_few_dead_letters_are_made_in_a_turn(harness: BrokerHarness, client: Client) -> None:
    client.declare("dead")
    client.declare("q", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    held_by(client, count=4)
    client.connection.receive(encode_method(1, make(Basic.Nack, delivery_tag=0, multiple=True, requeue=False)))
    assert queue_of(harness, "dead").message_count == 1
    assert turns_left(client) == 3
    assert client.drain("dead") == numbered(0, 1, 2, 3)
