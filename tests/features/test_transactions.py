"""The tx class: publishes and acks that happen together, or not at all."""

from collections.abc import Callable

import pytest

from leveret.core.freeing import FREED_IN_A_SLICE
from leveret.handlers.tx import COMMITTED_IN_A_TURN
from leveret_protocol.methods import Basic, Channel, Confirm, Frame, Queue, Tx, encode_method, make
from tests.harness import BrokerHarness, Client


@pytest.fixture
def client(client: Client) -> Client:
    """Channel 1 is transactional; there is a queue."""
    client.declare("q")
    client.call(make(Tx.Select), Tx.SelectOk)
    return client


def commit(client: Client) -> None:
    client.call(make(Tx.Commit), Tx.CommitOk)


def rollback(client: Client) -> None:
    client.call(make(Tx.Rollback), Tx.RollbackOk)


def ready(client: Client) -> list[bytes]:
    return client.drain("q", channel=2)


def test_selecting_again_is_fine(client: Client) -> None:
    """RabbitMQ: TX-1."""
    client.publish("", "q", b"x")
    client.call(make(Tx.Select), Tx.SelectOk)
    commit(client)
    assert ready(client) == [b"x"]


def test_a_channel_in_confirm_mode_cannot_select(client: Client) -> None:
    """RabbitMQ: TX-1."""
    client.call(make(Confirm.Select), Confirm.SelectOk, channel=2)
    client.refused(make(Tx.Select), "PRECONDITION_FAILED - cannot switch from confirm to tx mode", channel=2)


@pytest.mark.parametrize("cls", [Tx.Commit, Tx.Rollback], ids=lambda cls: cls.name)
def test_without_select_there_is_nothing_to_end(client: Client, cls: type[Frame]) -> None:
    """RabbitMQ: TX-2."""
    client.refused(make(cls), "PRECONDITION_FAILED - channel is not transactional", channel=2)


def test_publishes_arrive_at_commit_in_order(client: Client) -> None:
    """RabbitMQ: TX-3."""
    for number in range(5):
        client.publish("", "q", b"%d" % number)
    assert client.counts("q", channel=2) == (0, 0)
    commit(client)
    assert ready(client) == [b"0", b"1", b"2", b"3", b"4"]


def test_publishes_reach_consumers_at_commit(client: Client) -> None:
    client.consume("q", channel=2)
    client.publish("", "q", b"x")
    client.assert_silent()
    client.send(make(Tx.Commit))
    assert {type(it.method) for it in client.received()} == {Tx.CommitOk, Basic.Deliver}


def test_rolled_back_publishes_are_gone(client: Client) -> None:
    """RabbitMQ: TX-5."""
    client.publish("", "q", b"x")
    rollback(client)
    commit(client)
    assert ready(client) == []


def test_a_commit_begins_the_next_transaction(client: Client) -> None:
    """RabbitMQ: TX-7; empty ones are fine."""
    commit(client)
    client.publish("", "q", b"1")
    commit(client)
    client.publish("", "q", b"2")
    rollback(client)
    commit(client)
    assert ready(client) == [b"1"]


def test_routing_happens_when_it_is_published(client: Client) -> None:
    """RabbitMQ: TX-3."""
    client.publish("amq.direct", "k", b"too early")
    client.call(make(Queue.Bind, queue="q", exchange="amq.direct", routing_key="k"), Queue.BindOk)
    client.publish("amq.direct", "k", b"in time")
    client.call(make(Queue.Unbind, queue="q", exchange="amq.direct", routing_key="k"), Queue.UnbindOk)
    commit(client)
    assert ready(client) == [b"in time"]


def test_a_missing_exchange_is_told_at_once(client: Client) -> None:
    """RabbitMQ: TX-3."""
    client.publish("nosuch", "")
    client.expect_channel_close("NOT_FOUND - no exchange 'nosuch' in vhost '/'", Basic.Publish)


def test_unroutable_mandatory_messages_come_back_before_commit_ok(client: Client) -> None:
    """RabbitMQ: TX-3."""
    client.publish("", "nowhere", b"x", mandatory=True)
    client.assert_silent()
    client.send(make(Tx.Commit))
    assert [type(it.method) for it in client.received()] == [Basic.Return, Tx.CommitOk]


def test_a_queue_that_is_gone_at_commit_makes_a_message_unroutable(client: Client) -> None:
    """RabbitMQ: TX-3."""
    client.publish("", "q", b"x", mandatory=True)
    client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk, channel=2)
    client.send(make(Tx.Commit))
    assert [type(it.method) for it in client.received()] == [Basic.Return, Tx.CommitOk]


@pytest.mark.parametrize("exchange", ["", "amq.direct"])
def test_queues_are_looked_up_by_name_at_commit(client: Client, exchange: str) -> None:
    """RabbitMQ: TX-3: a queue that came back under its name gets the message, bound or not."""
    if exchange:
        client.send(make(Queue.Bind, queue="q", exchange=exchange, routing_key="q"), channel=2)
        client.expect(Queue.BindOk, channel=2)
    client.publish(exchange, "q", b"x", mandatory=True)
    client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk, channel=2)
    client.declare("q", channel=2)
    client.call(make(Tx.Commit), Tx.CommitOk)
    assert ready(client) == [b"x"]


def test_the_default_exchange_finds_a_queue_declared_before_commit(client: Client) -> None:
    """RabbitMQ: TX-3, XT-1."""
    client.publish("", "late", b"x", mandatory=True)
    client.declare("late", channel=2)
    client.call(make(Tx.Commit), Tx.CommitOk)
    assert client.counts("late", channel=2) == (1, 0)


def test_acks_are_held_until_commit(client: Client) -> None:
    """RabbitMQ: TX-3: a consumer gets no room before."""
    client.publish("", "q", b"1", channel=2)
    client.publish("", "q", b"2", channel=2)
    client.call(make(Basic.Qos, prefetch_count=1), Basic.QosOk)
    client.consume("q")
    assert client.bodies() == [b"1"]
    client.ack(1)
    client.assert_silent()
    client.send(make(Tx.Commit))
    assert {type(it.method) for it in client.received()} == {Tx.CommitOk, Basic.Deliver}


@pytest.mark.parametrize("requeue", [True, False])
def test_rejects_are_held_until_commit(client: Client, requeue: bool) -> None:
    """RabbitMQ: TX-3."""
    client.publish("", "q", b"x", channel=2)
    client.get("q", no_ack=False)
    client.nack(1, requeue=requeue)
    assert ready(client) == []
    commit(client)
    assert ready(client) == ([b"x"] if requeue else [])


def test_tags_are_checked_at_once(client: Client) -> None:
    """RabbitMQ: B-37."""
    client.publish("", "q", b"x", channel=2)
    client.get("q", no_ack=False)
    client.ack(1)
    client.refused(make(Basic.Ack, delivery_tag=1), "PRECONDITION_FAILED - unknown delivery tag 1")


def test_rolled_back_acks_are_outstanding_again_and_not_redelivered(client: Client) -> None:
    """RabbitMQ: TX-5."""
    for body in (b"1", b"2", b"3"):
        client.publish("", "q", body, channel=2)
    client.consume("q")
    assert client.bodies() == [b"1", b"2", b"3"]
    client.ack(2, multiple=True)
    rollback(client)
    client.assert_silent()
    client.ack(1)
    client.ack(3, multiple=True)
    commit(client)
    client.close_channel()
    assert ready(client) == []


def test_rolled_back_rejects_are_outstanding_again(client: Client) -> None:
    client.publish("", "q", b"1", channel=2)
    client.get("q", no_ack=False)
    client.reject(1, requeue=True)
    rollback(client)
    assert ready(client) == []
    client.ack(1)
    commit(client)
    client.close_channel()
    assert ready(client) == []


def test_multiple_acks_after_a_rollback_mean_the_restored_ones_too(client: Client) -> None:
    for body in (b"1", b"2", b"3"):
        client.publish("", "q", body, channel=2)
        client.get("q", no_ack=False)
    client.ack(1)
    client.ack(2)
    rollback(client)
    client.ack(2, multiple=True)
    commit(client)
    client.close_channel()
    assert ready(client) == [b"3"]


def test_a_channel_that_ends_without_commit_forgets_publishes_and_requeues_acked_messages(client: Client) -> None:
    """RabbitMQ: TX-6."""
    client.publish("", "q", b"held", channel=2)
    client.get("q", no_ack=False)
    client.publish("", "q", b"never committed")
    client.ack(1)
    client.close_channel()
    assert ready(client) == [b"held"]


def test_a_connection_that_is_lost_without_commit_does_the_same(client: Client, other: Client) -> None:
    client.publish("", "q", b"held", channel=2)
    client.get("q", no_ack=False)
    client.publish("", "q", b"never committed")
    client.ack(1)
    client.lose()
    assert other.drain("q") == [b"held"]


@pytest.mark.parametrize("end", [rollback, Client.lose])
def test_what_is_not_committed_is_freed_in_slices(
    harness: BrokerHarness, client: Client, end: Callable[[Client], None]
) -> None:
    client.send_bytes(client.published("", "q") * (FREED_IN_A_SLICE + 1))
    end(client)
    harness.node.run_slice()
    assert harness.node.has_work()
    harness.node.run_slice()
    assert not harness.node.has_work()


def begin_large_commit(client: Client) -> list[bytes]:
    """One that takes several turns, and of which the first one is over. Answers the bodies."""
    bodies = [b"%d" % number for number in range(2 * COMMITTED_IN_A_TURN + 1)]
    client.send_bytes(b"".join(client.published("", "q", body) for body in bodies))
    client.connection.receive(encode_method(1, make(Tx.Commit)) + encode_method(2, make(Tx.Select)))
    return bodies


def go_on(client: Client) -> None:
    """All the turns that are left."""
    while client.connection.has_put_off:
        client.connection.go_on()


def test_a_large_commit_holds_up_nobody_else(client: Client, other: Client) -> None:
    other.consume("q", no_ack=True)
    bodies = begin_large_commit(client)
    client.assert_silent()
    first = other.bodies()
    assert first == bodies[:COMMITTED_IN_A_TURN]
    go_on(client)
    assert [type(it.method) for it in client.received()] == [Tx.CommitOk, Tx.SelectOk]
    assert other.bodies() == bodies[COMMITTED_IN_A_TURN:]


def test_a_large_commit_counts_each_queue(client: Client) -> None:
    for number in range(20):
        client.declare(f"q{number}", channel=2)
        client.bind(f"q{number}", "amq.fanout")
    client.send_bytes(client.published("amq.fanout") * (COMMITTED_IN_A_TURN // 20 + 1))
    client.connection.receive(encode_method(1, make(Tx.Commit)))
    client.assert_silent()
    go_on(client)
    client.expect(Tx.CommitOk)


@pytest.mark.parametrize("end", [Client.lose, lambda client: client.connection.force_close("drained")])
def test_a_large_commit_is_whole_though_its_connection_ends(
    client: Client, other: Client, end: Callable[[Client], None]
) -> None:
    client.publish("", "q", b"acked", channel=2)
    client.get("q", no_ack=False)
    client.ack(1)
    bodies = begin_large_commit(client)
    end(client)
    assert other.counts("q") == (len(bodies), 0)


def test_a_refusal_in_any_turn_of_a_large_commit_is_told_at_the_end(client: Client, other: Client) -> None:
    other.declare("small", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    client.send_bytes(client.published("", "small") * 2)
    begin_large_commit(client)
    client.assert_silent()
    go_on(client)
    close, select_ok = client.received()
    assert isinstance(close.method, Channel.Close)
    assert close.method.reply_text == "PRECONDITION_FAILED - partial tx completion"
    assert isinstance(select_ok.method, Tx.SelectOk)
    assert other.counts("q") == (2 * COMMITTED_IN_A_TURN + 1, 0)


def test_getting_and_consuming_are_outside(client: Client) -> None:
    """RabbitMQ: TX-8."""
    client.publish("", "q", b"x", channel=2)
    assert client.get("q", no_ack=True).body == b"x"
    rollback(client)
    assert ready(client) == []


def test_a_new_channel_with_the_same_number_is_not_transactional(client: Client) -> None:
    client.publish("", "q", b"x")
    client.close_channel()
    client.call(make(Channel.Open), Channel.OpenOk)
    client.publish("", "q", b"y")
    assert ready(client) == [b"y"]


def test_headers_and_reply_to_are_looked_at_when_published(client: Client) -> None:
    client.publish("", "q", b"x", reply_to="amq.rabbitmq.reply-to")
    client.expect_channel_close("PRECONDITION_FAILED - fast reply consumer does not exist", Basic.Publish)
