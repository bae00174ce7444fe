"""A client that does not read: its consumers wait, others are served, and nothing is lost or doubled."""

import functools
import itertools

import pytest

from leveret.handlers.outgoing import OUTPUT_BYTES_MAX
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


class TestFull:
    """More than OUTPUT_BYTES_MAX for one connection, while the shell has had no chance to send any of it."""

    BODY = bytes(300_000)

    def taken(self, client: Client) -> list[str]:
        """The shell's part: what was put out is sent, then more may be. Answers the consumer tags of the deliveries."""
        deliveries = client.deliveries()
        assert sum(len(it.body) for it in deliveries) < OUTPUT_BYTES_MAX + len(self.BODY)
        assert all(it.body == self.BODY for it in deliveries)
        if client.connection.is_paused:
            client.connection.resume_deliveries()
        return [it.method.consumer_tag for it in deliveries]  # type: ignore[union-attr]

    @pytest.mark.parametrize("no_ack", [True, False])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_one_publish_to_many_consumers_is_handed_over_as_it_is_taken(
        self, client: Client, other: Client, no_ack: bool, channels: int
    ) -> None:
        tags = [f"{number:02}" for number in range(40)]
        for channel in range(2, channels + 1):
            other.open(channel)
        for number, tag in enumerate(tags):
            client.declare(tag)
            client.bind(tag, "amq.fanout")
            other.consume(tag, tag, no_ack=no_ack, channel=1 + number % channels)
        client.publish("amq.fanout", "", self.BODY)
        turns = list(iter(functools.partial(self.taken, other), []))
        assert len(turns) == 3
        assert sorted(itertools.chain.from_iterable(turns)) == tags
        client.publish("amq.fanout", "", self.BODY)
        assert sum(map(len, iter(functools.partial(self.taken, other), []))) == len(tags)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_backlogs_are_brought_in_turns(
        self, harness: BrokerHarness, client: Client, other: Client, channels: int
    ) -> None:
        tags = [f"{number:02}" for number in range(20)]
        for channel in range(2, channels + 1):
            other.open(channel)
        other.connection.pause_deliveries()
        for number, tag in enumerate(tags):
            client.declare(tag)
            client.bind(tag, "amq.fanout")
            other.consume(tag, tag, no_ack=True, channel=1 + number % channels)
        for _ in range(10):
            client.publish("amq.fanout", "", self.BODY)
        other.connection.resume_deliveries()
        counts = dict.fromkeys(tags, 0)
        while turn := self.taken(other):
            for tag in turn:
                counts[tag] += 1
            harness.run_work()
            assert max(counts.values()) <= 3 * (min(counts.values()) + 1)
        assert counts == dict.fromkeys(tags, 10)

    @pytest.mark.parametrize("prefetch_count", [0, 14, 15, 40])
    @pytest.mark.parametrize("is_for_channel", [True, False])
    @pytest.mark.parametrize("arguments", [{}, {"x-max-length": 100}, {"x-queue-type": "quorum"}])
    def test_others_are_served_meanwhile_and_all_comes_once(
        self, harness: BrokerHarness, client: Client, prefetch_count: int, is_for_channel: bool,
        arguments: dict[str, object],
    ) -> None:  # fmt: skip
        """With limits that are reached before, with, and after the one that fills it."""
        client.declare("q", arguments=arguments, durable=True)
        slow, quick = harness.connect(), harness.connect()
        if not is_for_channel or "x-queue-type" not in arguments:
            slow.qos(prefetch_count, global_=is_for_channel)
        slow.consume("q", "slow")
        quick.consume("q", "quick", no_ack=True)
        came = []
        for _ in range(60):
            client.publish("", "q", self.BODY)
            came += self.taken(quick)
        assert came.count("quick") >= 45
        while turn := self.taken(slow):
            came += turn
        client.publish("", "q", self.BODY)
        client.publish("", "q", self.BODY)
        came += self.taken(quick) + self.taken(slow)
        assert len(came) == 62
        assert client.counts("q") == (0, 2)
        slow.lose()
        harness.run_work()
        while turn := self.taken(quick):
            came += turn
        assert came.count("quick") == 62

    def test_a_large_reply_to_a_full_connection(self, client: Client, other: Client) -> None:
        """Replies have no queue to wait in: they are put out (see UNREAD_REPLY_BYTES_MAX)."""
        other.consume("amq.rabbitmq.reply-to", no_ack=True)
        other.publish("", "nowhere", reply_to="amq.rabbitmq.reply-to")
        client.declare("requests")
        client.consume("requests", no_ack=True)
        other.publish("", "requests", b"ask", reply_to="amq.rabbitmq.reply-to")
        (request,) = client.deliveries()
        assert request.properties.reply_to is not None
        for _ in range(20):
            client.publish("", request.properties.reply_to, self.BODY)
        assert len(other.deliveries()) == 20
        assert other.connection.is_paused

    @pytest.mark.parametrize("no_ack", [True, False])
    def test_the_others_keep_their_turns(self, harness: BrokerHarness, client: Client, no_ack: bool) -> None:
        client.declare("q")
        consumers = [harness.connect() for _ in range(3)]
        for consumer in consumers:
            consumer.consume("q", no_ack=no_ack)
        slow, *others = consumers
        served = []
        while not slow.connection.is_paused:
            for consumer in consumers:
                client.publish("", "q", self.BODY)
                if consumer is not slow:
                    assert len(self.taken(consumer)) == 1
        for _ in range(2):
            for _ in others:
                client.publish("", "q", self.BODY)
                served += [number for number, consumer in enumerate(others) if self.taken(consumer)]
        assert served == [0, 1, 0, 1]
