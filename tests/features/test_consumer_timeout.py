"""The consumer timeout: what is not acknowledged in time ends its channel (RabbitMQ: ALM-9, VER-28 as in 4.2)."""

import gc
from collections import deque

import pytest

from leveret_protocol.fields import table
from leveret_protocol.methods import Basic, Channel, Queue, Tx, make
from tests.harness import BrokerHarness, Client, assert_told

MINUTE = 60.0


def text(timeout_ms: int, channel: int = 1) -> str:
    return (
        f"PRECONDITION_FAILED - delivery acknowledgement on channel {channel} timed out. Timeout value used: "
        f"{timeout_ms} ms. This timeout value can be configured, see consumers doc guide to learn more"
    )


def expect_timeout(client: Client, timeout_ms: int, channel: int = 1) -> None:
    """The channel is closed, ids 0/0, and nothing else has come."""
    assert_told(client.expect(Channel.Close, channel), text(timeout_ms, channel), (0, 0))
    client.send(make(Channel.CloseOk), channel=channel)
    client.assert_silent()


def hold(client: Client, queue: str = "q", *, messages: int = 1, channel: int = 1, **fields: object) -> list[int]:
    """Publish and consume without acknowledging; answers the delivery tags."""
    for _ in range(messages):
        client.publish("", queue, b"x", channel=channel)
    client.consume(queue, channel=channel, **fields)
    return [delivery.delivery_tag for delivery in client.deliveries()]


def deques() -> list[deque[object]]:
    """All that there are."""
    gc.collect()
    return [it for it in gc.get_objects() if isinstance(it, deque)]


@pytest.fixture
def client(client: Client) -> Client:
    client.declare("q")
    client.declare("p")
    return client


class TestStrikes:
    def test_after_thirty_minutes_unless_told_otherwise(self, harness: BrokerHarness, client: Client) -> None:
        hold(client)
        harness.advance(30 * MINUTE)
        client.assert_silent()
        harness.advance(MINUTE)
        expect_timeout(client, 1_800_000)

    @pytest.mark.parametrize("timeout_ms", [100, 4999, 1001, 40_000, 120_000, 1_800_000, 86_400_000])
    @pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
    def test_never_early_and_at_most_a_quarter_late(
        self, harness: BrokerHarness, client: Client, timeout_ms: int, share: float
    ) -> None:
        """share: of a tick, at which the delivery comes."""
        harness.node.consumer_timeout_ms = timeout_ms
        seconds = timeout_ms / 1000
        client.consume("q")
        harness.advance(seconds * (3 + share / 4))
        client.publish("", "q", b"x")
        client.deliveries()
        harness.advance(seconds * 0.999)
        client.assert_silent()
        harness.advance(seconds * 0.251)
        expect_timeout(client, timeout_ms)

    def test_everything_outstanding_goes_back(self, harness: BrokerHarness, client: Client, other: Client) -> None:
        hold(client, messages=3)
        client.publish("", "p", b"y")
        client.get("p", no_ack=False)
        harness.advance(31 * MINUTE)
        expect_timeout(client, 1_800_000)
        assert (other.counts("q"), other.counts("p")) == ((3, 0), (1, 0))
        assert other.get("q").redelivered
        assert other.get("p").redelivered

    def test_other_channels_go_on_and_get_the_messages(self, harness: BrokerHarness, client: Client) -> None:
        hold(client)
        client.consume("q", "c", channel=2)
        harness.advance(31 * MINUTE)
        delivery, close = client.received()
        assert (type(delivery.method), delivery.channel, delivery.redelivered) == (Basic.Deliver, 2, True)
        assert (type(close.method), close.channel) == (Channel.Close, 1)

    def test_basic_get_counts(self, harness: BrokerHarness, client: Client) -> None:
        client.publish("", "q", b"x", channel=2)
        client.get("q", no_ack=False, channel=2)
        harness.advance(31 * MINUTE)
        expect_timeout(client, 1_800_000, channel=2)

    def test_a_busy_channel_is_caught_by_its_oldest_delivery(self, harness: BrokerHarness, client: Client) -> None:
        hold(client)
        for _ in range(31):
            client.publish("", "q", b"x")
            client.ack(client.deliveries()[0].delivery_tag)
            harness.advance(MINUTE - 1)
        client.assert_silent()
        harness.advance(MINUTE)
        expect_timeout(client, 1_800_000)

    def test_the_next_one_is_caught_when_the_oldest_is_settled(self, harness: BrokerHarness, client: Client) -> None:
        harness.node.consumer_timeout_ms = 24 * 3_600_000
        (first,) = hold(client)
        harness.advance(60 * MINUTE)
        client.publish("", "q", b"x")
        client.deliveries()
        harness.advance(10 * 60 * MINUTE)
        client.ack(first)
        harness.advance(14 * 60 * MINUTE)
        client.assert_silent()
        harness.advance(6 * 60 * MINUTE)
        expect_timeout(client, 24 * 3_600_000)

    def test_taking_more_does_not_put_it_off(self, harness: BrokerHarness, client: Client) -> None:
        hold(client)
        for _ in range(41):
            client.publish("", "p", b"x")
            client.ack(client.get("p", no_ack=False).delivery_tag)
            harness.advance(MINUTE * 0.75)
        client.assert_silent()
        harness.advance(MINUTE * 0.25)
        expect_timeout(client, 1_800_000)

    def test_it_strikes_once(self, harness: BrokerHarness, client: Client) -> None:
        """3.10 repeats channel.close while the client does not answer; its messages are gone back, so we need not."""
        hold(client)
        harness.advance(31 * MINUTE)
        client.expect(Channel.Close)
        assert harness.node.timers.next_at() is None
        harness.advance(120 * MINUTE)
        client.assert_silent()

    def test_the_number_is_free_for_a_new_channel(self, harness: BrokerHarness, client: Client) -> None:
        hold(client)
        harness.advance(31 * MINUTE)
        expect_timeout(client, 1_800_000)
        client.open(1)
        hold(client, messages=0)
        harness.advance(31 * MINUTE)
        expect_timeout(client, 1_800_000)

    def test_a_message_that_comes_again_has_all_its_time_again(self, harness: BrokerHarness, client: Client) -> None:
        (tag,) = hold(client)
        harness.advance(20 * MINUTE)
        client.nack(tag)
        (again,) = client.deliveries()
        harness.advance(20 * MINUTE)
        client.ack(again.delivery_tag)
        client.assert_silent()


class TestSpares:
    def test_what_is_acknowledged_in_time(self, harness: BrokerHarness, client: Client) -> None:
        for tag in hold(client, messages=3):
            harness.advance(9 * MINUTE)
            client.ack(tag)
        for _ in range(10):
            client.publish("", "q", b"x")
            (delivery,) = client.deliveries()
            harness.advance(29 * MINUTE)
            client.ack(delivery.delivery_tag)
        client.assert_silent()

    def test_consumers_that_do_not_acknowledge(self, harness: BrokerHarness, client: Client) -> None:
        hold(client, no_ack=True)
        client.publish("", "p", b"y")
        client.get("p", no_ack=True)
        harness.advance(120 * MINUTE)
        client.assert_silent()

    def test_acknowledgements_that_a_transaction_holds(self, harness: BrokerHarness, client: Client) -> None:
        """Seen in RabbitMQ 3.10."""
        (tag,) = hold(client)
        client.call(make(Tx.Select), Tx.SelectOk)
        client.ack(tag)
        harness.advance(120 * MINUTE)
        client.call(make(Tx.Commit), Tx.CommitOk)

    def test_everything_where_it_is_switched_off(self, harness: BrokerHarness, client: Client) -> None:
        harness.node.consumer_timeout_ms = None
        hold(client)
        harness.advance(240 * MINUTE)
        client.assert_silent()

    def test_what_is_held_when_it_is_switched_on(self, harness: BrokerHarness, client: Client) -> None:
        """It has the whole time from then on; but what was noted before it was switched off still counts."""
        harness.node.consumer_timeout_ms = None
        hold(client)
        harness.advance(240 * MINUTE)
        harness.node.consumer_timeout_ms = 1_800_000
        harness.advance(20 * MINUTE)
        client.assert_silent()
        harness.node.consumer_timeout_ms = None
        harness.advance(20 * MINUTE)
        client.assert_silent()
        harness.node.consumer_timeout_ms = 1_800_000
        harness.advance(MINUTE)
        expect_timeout(client, 1_800_000)


class TestOfAQueue:
    @pytest.mark.parametrize("queue_type", ["classic", "quorum"])
    def test_the_argument_comes_before_the_brokers(
        self, harness: BrokerHarness, client: Client, queue_type: str
    ) -> None:
        """RabbitMQ 4.2: queues of all types; 4.3 has it for quorum queues only, and refuses it elsewhere."""
        client.declare("own", durable=True, arguments={"x-queue-type": queue_type, "x-consumer-timeout": 10_000})
        hold(client, "own")
        harness.advance(13)
        expect_timeout(client, 10_000)

    def test_a_longer_one_too(self, harness: BrokerHarness, client: Client) -> None:
        harness.node.consumer_timeout_ms = 10_000
        client.declare("own", arguments={"x-consumer-timeout": 100_000})
        hold(client, "own")
        harness.advance(99)
        client.assert_silent()
        harness.advance(26)
        expect_timeout(client, 100_000)

    def test_where_the_broker_has_none(self, harness: BrokerHarness, client: Client) -> None:
        harness.node.consumer_timeout_ms = None
        client.declare("own", arguments={"x-consumer-timeout": 10_000})
        hold(client, "own")
        harness.advance(13)
        expect_timeout(client, 10_000)

    def test_get_looks_at_it_as_well(self, harness: BrokerHarness, client: Client) -> None:
        client.consume("q")
        client.declare("own", arguments={"x-consumer-timeout": 10_000})
        client.publish("", "own", b"x")
        client.get("own", no_ack=False)
        harness.advance(13)
        expect_timeout(client, 10_000)

    def test_0_strikes_as_soon_as_it_is_looked_at(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("own", arguments={"x-consumer-timeout": 0})
        hold(client, "own")
        harness.advance(1)
        expect_timeout(client, 0)

    def test_only_the_oldest_delivery_is_looked_at(self, harness: BrokerHarness, client: Client) -> None:
        """As in RabbitMQ up to 4.2: one that may take longer covers those that came after it."""
        client.declare("short", arguments={"x-consumer-timeout": 10_000})
        (patient,) = hold(client, "q")
        hold(client, "short")
        harness.advance(60)
        client.assert_silent()
        client.ack(patient)
        harness.advance(3)
        expect_timeout(client, 10_000)

    def test_a_deleted_queue_has_the_brokers(self, harness: BrokerHarness, client: Client, other: Client) -> None:
        client.declare("own", arguments={"x-consumer-timeout": 10_000})
        hold(client, "own")
        other.call(make(Queue.Delete, queue="own"), Queue.DeleteOk)
        client.expect(Basic.Cancel)
        harness.advance(60)
        client.assert_silent()
        harness.advance(31 * MINUTE)
        expect_timeout(client, 1_800_000)

    def test_a_policy_holds_at_once_for_what_is_handed_out(self, harness: BrokerHarness, client: Client) -> None:
        """RabbitMQ: POL-5. How long it has been handed out is known to a quarter of the timeout before."""
        hold(client)
        harness.advance(15 * MINUTE)
        policies = harness.node.vhost("/").policies
        policies.set("p", pattern="^q$", definition={"consumer-timeout": 1_200_000})
        harness.advance(4 * MINUTE)
        client.assert_silent()
        policies.set("p", pattern="^q$", definition={"consumer-timeout": 10_000})
        harness.advance(2.5)
        expect_timeout(client, 10_000)

    def test_the_shorter_of_policy_and_argument_holds(self, harness: BrokerHarness, client: Client) -> None:
        """RabbitMQ: POL-4."""
        harness.node.vhost("/").policies.set("p", pattern="own", definition={"consumer-timeout": 20_000})
        client.declare("own.1", arguments={"x-consumer-timeout": 10_000})
        client.declare("own.2", arguments={"x-consumer-timeout": 30_000})
        client.open(3)
        hold(client, "own.1")
        hold(client, "own.2", channel=3)
        harness.advance(13)
        expect_timeout(client, 10_000)
        harness.advance(13)
        expect_timeout(client, 20_000, channel=3)

    def test_without_its_policy_a_queue_has_the_brokers(self, harness: BrokerHarness, client: Client) -> None:
        policies = harness.node.vhost("/").policies
        policies.set("p", pattern="^q$", definition={"consumer-timeout": 10_000})
        hold(client)
        policies.clear("p")
        harness.advance(30 * MINUTE)
        client.assert_silent()
        harness.advance(MINUTE)
        expect_timeout(client, 1_800_000)

    @pytest.mark.parametrize(
        ("value", "reason"), [(-1, "{value_negative,-1}"), ("x", '"expected integer, got longstr"')]
    )
    def test_the_argument_is_validated(self, client: Client, value: object, reason: str) -> None:
        """RabbitMQ from 4.3 on."""
        client.refused(
            make(Queue.Declare, queue="own", arguments=table({"x-consumer-timeout": value})),
            f"PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue 'own' in vhost '/': {reason}",
        )


class TestTicking:
    def test_channels_that_acknowledge_nothing_have_no_timer(self, harness: BrokerHarness, client: Client) -> None:
        """Also when a policy tells their queues a timeout."""
        hold(client, no_ack=True)
        client.publish("", "p", b"x")
        client.get("p", no_ack=True)
        client.send(make(Basic.Get, queue="p"))
        client.expect(Basic.GetEmpty)
        harness.node.vhost("/").policies.set("p", pattern="", definition={"consumer-timeout": 10_000})
        assert harness.node.timers.next_at() is None

    @pytest.mark.parametrize("ends", ["ack", "cancel", "channel", "connection", "tcp"])
    def test_none_is_left_when_nothing_can_be_outstanding(
        self, harness: BrokerHarness, client: Client, ends: str
    ) -> None:
        client.publish("", "q", b"x")
        tag = client.get("q", no_ack=False).delivery_tag
        client.consume("q", "c")
        client.consume("q", no_ack=True)
        assert harness.node.timers.next_at() is not None
        match ends:
            case "ack" | "cancel":
                client.cancel("c")
                client.ack(tag)
            case "channel":
                client.close_channel()
            case "connection":
                client.close()
            case "tcp":
                client.lose()
        harness.advance(2 * MINUTE)
        assert harness.node.timers.next_at() is None

    def test_what_is_noted_does_not_grow(self, harness: BrokerHarness) -> None:
        """However long a timeout is, and however often the channel ticks beside it."""
        ten_years_ms = 315_360_000_000
        before = {id(it) for it in deques()}
        client = harness.connect()
        client.declare("long", arguments={"x-consumer-timeout": ten_years_ms})
        client.declare("short", arguments={"x-consumer-timeout": 1000})
        hold(client, "long")
        client.consume("short")
        for _ in range(50):
            client.publish("", "short", b"x")
            client.ack(client.deliveries()[0].delivery_tag)
            harness.advance(10)
        assert max(len(it) for it in deques() if id(it) not in before) <= 65
