"""A client that does not read: its consumers wait, others are served, and nothing is lost or doubled."""

import pytest

from leveret_protocol.methods import Basic, Queue, make
from tests.harness import BrokerHarness, Client


def publish(client: Client, *numbers: int) -> None:
    for number in numbers:
        client.publish("", "q", b"%d" % number)


@pytest.mark.parametrize("no_ack", [True, False])
class TestPaused:
    def test_a_paused_connection_gets_nothing(self, client: Client, other: Client, no_ack: bool) -> None:
        client.declare("q")
        other.consume("q", no_ack=no_ack)
        other.connection.pause_deliveries()
        publish(client, 1, 2, 3)
        other.assert_silent()
        assert client.counts("q") == (3, 1)

    def test_after_resuming_it_gets_all_in_order(self, client: Client, other: Client, no_ack: bool) -> None:
        client.declare("q")
        other.consume("q", no_ack=no_ack)
        publish(client, 0)
        other.connection.pause_deliveries()
        publish(client, 1, 2, 3)
        other.connection.resume_deliveries()
        publish(client, 4)
        assert other.bodies() == [b"0", b"1", b"2", b"3", b"4"]

    def test_others_get_the_messages_meanwhile(self, harness: BrokerHarness, client: Client, no_ack: bool) -> None:
        client.declare("q")
        slow, quick = harness.connect(), harness.connect()
        for consumer in (slow, quick):
            consumer.consume("q", no_ack=no_ack)
        slow.connection.pause_deliveries()
        publish(client, 1, 2, 3)
        assert quick.bodies() == [b"1", b"2", b"3"]
        slow.connection.resume_deliveries()
        publish(client, 4, 5)
        assert len(quick.bodies()) == len(slow.bodies()) == 1

    def test_consumers_started_while_paused_wait_too(self, client: Client, other: Client, no_ack: bool) -> None:
        client.declare("q")
        publish(client, 1)
        other.connection.pause_deliveries()
        other.consume("q", no_ack=no_ack)
        other.open(2)
        other.consume("q", no_ack=no_ack, channel=2)
        other.assert_silent()
        other.connection.resume_deliveries()
        assert other.bodies() == [b"1"]

    def test_pausing_stops_a_backlog_between_two_slices(
        self, harness: BrokerHarness, client: Client, no_ack: bool
    ) -> None:
        client.declare("q")
        bodies = [b"%d" % number for number in range(1500)]
        client.send_bytes(b"".join(client.published("", "q", body) for body in bodies))
        slow = harness.connect()
        slow.consume("q", no_ack=no_ack)
        first = slow.bodies()
        slow.connection.pause_deliveries()
        harness.run_work()
        slow.assert_silent()
        slow.connection.resume_deliveries()
        harness.run_work()
        assert first + slow.bodies() == bodies

    def test_pausing_and_resuming_twice_is_doing_it_once(self, client: Client, other: Client, no_ack: bool) -> None:
        client.declare("q")
        other.consume("q", no_ack=no_ack)
        for _ in range(2):
            other.connection.pause_deliveries()
        publish(client, 1)
        for _ in range(2):
            other.connection.resume_deliveries()
        publish(client, 2)
        assert other.bodies() == [b"1", b"2"]

    def test_losing_a_paused_connection_loses_nothing(self, client: Client, other: Client, no_ack: bool) -> None:
        client.declare("q")
        other.consume("q", no_ack=no_ack)
        other.connection.pause_deliveries()
        publish(client, 1, 2)
        other.lose()
        assert client.drain("q") == [b"1", b"2"]

    def test_cancelling_while_paused(self, client: Client, other: Client, no_ack: bool) -> None:
        client.declare("q")
        other.consume("q", "tag", no_ack=no_ack)
        other.connection.pause_deliveries()
        publish(client, 1)
        other.cancel("tag")
        other.connection.resume_deliveries()
        other.assert_silent()
        assert client.counts("q") == (1, 0)


def test_acking_while_paused_brings_nothing_until_resumed(client: Client, other: Client) -> None:
    client.declare("q")
    other.qos(1)
    other.consume("q")
    publish(client, 1, 2)
    assert other.bodies() == [b"1"]
    other.connection.pause_deliveries()
    other.ack(1)
    other.assert_silent()
    other.connection.resume_deliveries()
    assert other.bodies() == [b"2"]


def test_resuming_does_not_overstep_the_prefetch(client: Client, other: Client) -> None:
    client.declare("q")
    other.qos(2)
    other.consume("q")
    publish(client, 1, 2, 3)
    assert other.bodies() == [b"1", b"2"]
    other.connection.pause_deliveries()
    other.connection.resume_deliveries()
    other.assert_silent()
    other.ack(1)
    assert other.bodies() == [b"3"]


def test_replies_are_not_held_up(client: Client, other: Client) -> None:
    """Only deliveries wait: what was asked for is answered."""
    client.declare("q")
    publish(client, 1)
    other.connection.pause_deliveries()
    assert other.get("q").body == b"1"
    other.call(make(Queue.Purge, queue="q"), Queue.PurgeOk)


def test_a_lower_priority_is_served_while_the_higher_one_is_paused(harness: BrokerHarness, client: Client) -> None:
    client.declare("q")
    high, low = harness.connect(), harness.connect()
    high.consume("q", arguments={"x-priority": 1})
    low.consume("q")
    high.connection.pause_deliveries()
    publish(client, 1)
    assert low.bodies() == [b"1"]
    high.connection.resume_deliveries()
    publish(client, 2)
    assert high.bodies() == [b"2"]
    low.assert_silent()


def test_the_deleted_queue_of_a_paused_consumer_is_told(client: Client, other: Client) -> None:
    client.declare("q")
    other.consume("q", "tag")
    other.connection.pause_deliveries()
    client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
    assert other.expect(Basic.Cancel).consumer_tag == "tag"
    other.connection.resume_deliveries()
    other.assert_silent()
