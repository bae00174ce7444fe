"""The tx class: publishes and acks that happen together, or not at all."""

import pytest

from leveret_protocol.methods import Basic, Channel, Confirm, Frame, Queue, Tx, make
from tests.harness import Client


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
