"""What comes back when a consumer is gone: in its old order, and marked as redelivered."""

import pytest

from leveret_protocol.methods import Basic, make
from tests.harness import BrokerHarness, Client


def fill(client: Client, count: int) -> None:
    client.declare("q")
    client.send_bytes(b"".join(client.published("", "q", b"%d" % number) for number in range(count)))


def lose_channel(client: Client) -> None:
    client.close_channel()


def lose_channel_by_error(client: Client) -> None:
    client.ack(999_999)


def close_connection(client: Client) -> None:
    client.close()


def lose_connection(client: Client) -> None:
    client.lose()


def lose_connection_by_error(client: Client) -> None:
    client.publish("", "", immediate=True)


ENDS = pytest.mark.parametrize(
    "end", [lose_channel, lose_channel_by_error, close_connection, lose_connection, lose_connection_by_error]
)


@ENDS
def test_unacked_messages_come_again_in_order_and_first(harness: BrokerHarness, end: object) -> None:
    """RabbitMQ: B-41, CLS-1 to CLS-3."""
    assert callable(end)
    client, other = harness.connect(), harness.connect()
    fill(client, 6)
    client.qos(4)
    client.consume("q")
    client.ack(2)
    client.received()
    end(client)
    got = [other.get("q") for _ in range(5)]
    assert [it.body for it in got] == [b"0", b"2", b"3", b"4", b"5"]
    assert [it.redelivered for it in got] == [True, True, True, True, False]


@ENDS
def test_a_consumer_that_waits_gets_them(harness: BrokerHarness, end: object) -> None:
    assert callable(end)
    client, other = harness.connect(), harness.connect()
    fill(client, 3)
    client.consume("q")
    client.received()
    other.consume("q")
    other.assert_silent()
    end(client)
    deliveries = other.deliveries()
    assert [it.body for it in deliveries] == [b"0", b"1", b"2"]
    assert all(it.redelivered for it in deliveries)


def test_messages_of_two_channels_of_a_lost_connection_are_in_order(harness: BrokerHarness) -> None:
    """Neither channel gets what the other one gives back."""
    client, other = harness.connect(channels=(1, 2)), harness.connect()
    client.declare("q")
    client.consume("q", channel=1)
    client.consume("q", channel=2)
    for number in range(6):
        client.publish("", "q", b"%d" % number)
    client.deliveries()
    client.lose()
    assert other.drain("q") == [b"%d" % number for number in range(6)]


def test_nothing_is_sent_to_a_lost_connection(harness: BrokerHarness) -> None:
    client = harness.connect(channels=(1, 2))
    client.declare("q")
    for channel in (1, 2):
        client.consume("q", channel=channel)
    client.publish("", "q", b"x")
    client.deliveries()
    client.lose()
    client.assert_silent()
    harness.connect().publish("", "q", b"y")
    client.assert_silent()


def test_messages_of_consumers_without_acks_are_gone(harness: BrokerHarness) -> None:
    """RabbitMQ: B-16."""
    client, other = harness.connect(), harness.connect()
    fill(client, 3)
    client.consume("q", no_ack=True)
    client.lose()
    assert other.counts("q") == (0, 0)


def test_redelivered_stays_through_several_returns(client: Client) -> None:
    fill(client, 1)
    assert not client.get("q", no_ack=False).redelivered
    for tag in (1, 2):
        client.reject(tag, requeue=True)
        assert client.get("q", no_ack=False).redelivered


def test_a_message_that_was_not_out_is_not_redelivered(client: Client) -> None:
    """RabbitMQ: B-44, on either side of one that was."""
    fill(client, 3)
    client.get("q")
    tag = client.get("q", no_ack=False).delivery_tag
    client.publish("", "q", b"new")
    client.reject(tag, requeue=True)
    assert [client.get("q").redelivered for _ in range(3)] == [True, False, False]


def test_a_copy_in_another_queue_is_not_redelivered(client: Client) -> None:
    """The message is one object in all queues; the mark belongs to each queue."""
    for queue in ("q1", "q2"):
        client.declare(queue)
        client.bind(queue, "amq.fanout")
    client.publish("amq.fanout", "", b"x")
    client.reject(client.get("q1", no_ack=False).delivery_tag, requeue=True)
    assert client.get("q1").redelivered
    assert not client.get("q2").redelivered


def test_the_redelivered_copy_is_the_same_message(client: Client) -> None:
    client.declare("q")
    client.publish("", "q", b"body", message_id="7", headers={"a": 1})
    first = client.get("q", no_ack=False)
    client.reject(1, requeue=True)
    again = client.get("q")
    assert (again.header, again.body) == (first.header, first.body)


def test_many_unacked_messages_come_back_in_order(harness: BrokerHarness) -> None:
    client, other = harness.connect(), harness.connect()
    fill(client, 2000)
    client.consume("q")
    harness.run_work()
    assert len(client.deliveries()) == 2000
    client.send(make(Basic.Ack, delivery_tag=1000))
    other.consume("q")
    client.lose()
    harness.run_work()
    assert other.bodies() == [b"%d" % number for number in range(2000) if number != 999]
